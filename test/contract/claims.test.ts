import assert from 'node:assert/strict';
import { existsSync, unlinkSync } from 'node:fs';
import test, { after } from 'node:test';
import { limits } from '../../src/model/limits.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { assertDeclared } from '../support/answer-check.ts';
import { createMap, isAlive, pinById } from '../support/bpftool.ts';
import { until } from '../support/until.ts';

const agent: TestAgent = await testAgent();
after(() => agent[Symbol.asyncDispose]());

const template = '/v1/claims/{owner}';
const at = (path: string): string => `${agent.bpffs.path}/${path}`;

/** Makes a map under two names, so that the removal of one loses nothing; answers its id. */
function twice(name: string): number {
  const { id } = createMap(at(name), { name: 'pf_claim' });
  pinById('map', id, at(`${name}_too`));
  return id;
}

async function put(owner: string, body: object, query = '') {
  const answer = await agent.local.put(`/v1/claims/${owner}${query}`).send(body);
  assertDeclared('PUT', template, answer);
  return answer;
}

async function release(owner: string, query = '') {
  const answer = await agent.local.delete(`/v1/claims/${owner}${query}`);
  assertDeclared('DELETE', template, answer);
  return answer;
}

/** The types of what history tells of an owner, oldest first. */
async function history(owner: string): Promise<readonly string[]> {
  const { body } = await agent.local.get(
    '/v1/events?type=claim.made,claim.renewed,claim.released,claim.expired',
  );
  return body.items
    .filter((event: { subject: { name: string } }) => event.subject.name === owner)
    .map(({ type }: { type: string }) => type);
}

test('a claim is made, shown with what its paths hold, renewed, changed and released', async () => {
  const id = createMap(at('own'), { name: 'pf_own' }).id;
  const made = await put('pod-1', { pins: ['own', 'later/map'], lease: '10m', labels: { app: 'x' } });
  assert.equal(made.status, 201, made.text);
  assert.equal(made.headers['location'], '/v1/claims/pod-1');
  assert.ok(made.headers['pinfold-operation']);
  assert.equal(made.headers['etag'], made.body.etag);
  const [later, own] = made.body.pins;
  assert.deepEqual(
    [later.path, later.state, later.claimed, later.present],
    ['later/map', 'absent', null, null],
  );
  assert.deepEqual([own.path, own.state, own.claimed.id, own.present.id], ['own', 'present', id, id]);
  assert.deepEqual(
    [made.body.lease, made.body.renew_interval, made.body.mount],
    ['10m', '200s', agent.mount],
  );
  assert.ok(made.body.remaining_ms > 590_000 && made.body.remaining_ms <= 600_000);

  const shown = await agent.local.get('/v1/claims/pod-1');
  assertDeclared('GET', template, shown);
  assert.equal(shown.headers['etag'], made.body.etag);
  assert.deepEqual(shown.body.pins, made.body.pins);

  const renewed = await put('pod-1', {});
  assert.equal(renewed.status, 200);
  assert.equal(renewed.headers['pinfold-operation'], undefined, 'a deadline alone is no operation');
  assert.equal(renewed.body.etag, made.body.etag);
  const changed = await put('pod-1', { labels: { app: 'y' } });
  assert.ok(changed.headers['pinfold-operation']);
  assert.notEqual(changed.body.etag, made.body.etag);
  assert.equal(changed.body.id, made.body.id);

  const { body: operation } = await agent.local
    .get(`/v1/operations/${made.headers['pinfold-operation']}`)
    .expect(200);
  assert.deepEqual(
    [operation.kind, operation.outcome, operation.subject.owner],
    ['claim', 'applied', 'pod-1'],
  );
  const released = await release('pod-1');
  assert.equal(released.status, 204);
  const gone = await agent.local.get('/v1/claims/pod-1');
  assertDeclared('GET', template, gone);
  assert.deepEqual([gone.status, gone.body.code], [404, 'claim_not_found']);
  assert.equal((await release('pod-1')).body.code, 'claim_not_found');
  assert.deepEqual(await history('pod-1'), ['claim.made', 'claim.renewed', 'claim.released']);
  assert.ok(existsSync(at('own')), 'a release unpins nothing by itself');
});

test('a claimed pin is a hazard to remove, to replace, to rename away and to rename over', async () => {
  const id = twice('needed');
  const other = twice('other');
  await put('pod-2', { pins: ['needed'] });
  const source = { source: { kind: 'map', id: other }, replace: true };
  const attempts = [
    () => agent.local.delete('/v1/pins/needed'),
    () => agent.local.put('/v1/pins/needed').send(source),
    () => agent.local.patch('/v1/pins/needed').send({ path: 'elsewhere' }),
    () => agent.local.patch('/v1/pins/other').send({ path: 'needed', replace: true }),
    () => agent.local.post('/v1/batch').send({ operations: [{ op: 'unpin', path: 'needed' }] }),
  ];
  for (const attempt of attempts) {
    const { status, body } = await attempt();
    assert.deepEqual([status, body.code, body.hazards], [409, 'hazard', ['claimed']]);
    assert.match(body.detail, /"pod-2"/);
  }
  const plan = await agent.local
    .patch('/v1/pins/needed?dry_run=true')
    .send({ path: 'elsewhere' })
    .expect(200);
  assert.deepEqual(plan.body.plan[0].hazards, ['claimed']);
  await agent.local.patch('/v1/pins/needed').send({ mode: '0640' }).expect(200);
  assert.ok(existsSync(at('needed')));

  const replaced = await agent.local.put('/v1/pins/needed?accept=claimed').send(source);
  assert.equal(replaced.status, 200, replaced.text);
  assert.deepEqual(replaced.body.claims, ['pod-2']);
  const { body: claim } = await agent.local.get('/v1/claims/pod-2');
  const [pin] = claim.pins;
  assert.deepEqual([pin.state, pin.claimed.id, pin.present.id], ['replaced', id, other]);
  assert.equal((await put('pod-2', {})).body.pins[0].state, 'replaced', 'a renewal does not hide it');
  assert.equal((await put('pod-2', { adopt: true })).body.pins[0].state, 'present');
  await agent.local.delete('/v1/pins/needed?accept=claimed').expect(204);
  assert.equal((await agent.local.get('/v1/claims/pod-2')).body.pins[0].state, 'absent');
  await release('pod-2');
});

test('a foreign replacement shows in the claim, and pins say who claims them', async () => {
  const id = twice('mine');
  await put('pod-3', { pins: ['mine'] });
  await put('pod-4', { pins: ['mine'] });
  const pin = await agent.local.get('/v1/pins/mine').expect(200);
  assert.deepEqual(pin.body.claims, ['pod-3', 'pod-4']);
  const claimed = await agent.local.get('/v1/pins?claimed=true&fresh=true').expect(200);
  assertDeclared('GET', '/v1/pins', claimed);
  assert.deepEqual(
    claimed.body.items.map(({ path, claims }: { path: string; claims: string[] }) => [path, claims]),
    [['mine', ['pod-3', 'pod-4']]],
  );
  const free = await agent.local.get('/v1/pins?claimed=false&prefix=mine_too').expect(200);
  assert.deepEqual([free.body.total, free.body.items[0].claims], [1, []]);

  unlinkSync(at('mine'));
  const other = createMap(at('mine'), { name: 'pf_foreign' }).id;
  const { body } = await agent.local.get('/v1/claims/pod-3');
  assert.deepEqual(
    [body.pins[0].state, body.pins[0].claimed.id, body.pins[0].present.id],
    ['replaced', id, other],
  );
  await release('pod-3');
  await release('pod-4');
  assert.deepEqual((await agent.local.get('/v1/pins/mine')).body.claims, []);
});

test('release with unpin removes what nobody else claims, and says what it left', async () => {
  for (const name of ['one', 'shared', 'swapped']) twice(name);
  await put('pod-5', { pins: ['one', 'shared', 'swapped', 'never'] });
  await put('pod-6', { pins: ['shared'] });
  unlinkSync(at('swapped'));
  createMap(at('swapped'), { name: 'pf_foreign' });
  const plan = await release('pod-5', '?unpin=unclaimed&dry_run=true');
  assert.deepEqual(
    plan.body.plan.map(({ action, path }: { action: string; path: string }) => [action, path]),
    [
      ['unpin', 'one'],
      ['release', ''],
    ],
  );
  const done = await release('pod-5', '?unpin=unclaimed');
  assert.equal(done.status, 200, done.text);
  assert.deepEqual(done.body.unpinned, [{ path: 'one' }]);
  const kept = done.body.kept.map(({ path, reason }: { path: string; reason: string }) => [path, reason]);
  assert.deepEqual(kept, [
    ['never', 'absent'],
    ['shared', 'claimed'],
    ['swapped', 'replaced'],
  ]);
  assert.equal(existsSync(at('one')), false);
  assert.ok(existsSync(at('shared')) && existsSync(at('swapped')));
  const { body: operation } = await agent.local
    .get(`/v1/operations/${done.headers['pinfold-operation']}`)
    .expect(200);
  assert.deepEqual([operation.kind, operation.outcome], ['release', 'applied']);
  assert.equal((await agent.local.get('/v1/claims/pod-5')).status, 404);
  const { body: events } = await agent.local.get('/v1/events?limit=5000&type=pin.removed,claim.released');
  const told = events.items.filter(
    (event: { operation_id?: string }) => event.operation_id === done.headers['pinfold-operation'],
  );
  assert.deepEqual(
    told.map(({ type }: { type: string }) => type),
    ['pin.removed', 'claim.released'],
  );
  assert.deepEqual((await release('pod-6', '?unpin=unclaimed')).body.unpinned, [{ path: 'shared' }]);
});

test('a release that would free an object is refused whole, and the claim stands', async () => {
  const { id } = createMap(at('last'), { name: 'pf_last' });
  twice('harmless');
  await put('pod-7', { pins: ['harmless', 'last'] });
  const refused = await release('pod-7', '?unpin=unclaimed');
  assert.deepEqual(
    [refused.status, refused.body.code, refused.body.hazards],
    [409, 'hazard', ['last_reference']],
  );
  assert.ok(existsSync(at('harmless')) && existsSync(at('last')));
  assert.equal((await agent.local.get('/v1/claims/pod-7')).status, 200);
  const accepted = await release('pod-7', '?unpin=unclaimed&accept=last_reference');
  assert.equal(accepted.body.unpinned.length, 2, accepted.text);
  await until('the map to be freed', () => !isAlive('map', id));
});

test('If-Match, If-None-Match and dry_run are honoured', async () => {
  twice('careful');
  const { headers } = await put('pod-8', { pins: ['careful'] });
  const etag = String(headers['etag']);
  const again = await agent.local
    .put('/v1/claims/pod-8')
    .set('if-none-match', '*')
    .send({ pins: ['careful'] });
  assert.deepEqual([again.status, again.body.code], [412, 'precondition_failed']);
  const stale = await agent.local.put('/v1/claims/pod-8').set('if-match', '"other"').send({});
  assert.deepEqual([stale.status, stale.body.etag], [412, etag]);
  const nobody = await agent.local
    .put('/v1/claims/pod-none')
    .set('if-match', '*')
    .send({ pins: ['careful'] });
  assert.equal(nobody.status, 412);
  const plan = await put('pod-8', { pins: ['careful', 'more'] }, '?dry_run=true');
  assert.deepEqual(
    plan.body.plan.map(({ action, path }: { action: string; path: string }) => [action, path]),
    [
      ['renew', 'careful'],
      ['claim', 'more'],
    ],
  );
  assert.equal((await agent.local.get('/v1/claims/pod-8')).body.pins.length, 1, 'nothing was done');
  assert.equal((await agent.local.delete('/v1/claims/pod-8').set('if-match', '"other"')).status, 412);
  assert.equal((await agent.local.delete('/v1/claims/pod-8').set('if-match', etag)).status, 204);
});

test('names of owners are bytes, and lists of claims are paged in their order', async () => {
  const owners = ['k8s%2Fns%2Fpod', 'list%FF', 'list-a', 'list-b', '%C3%BC'];
  for (const owner of owners) {
    const made = await put(owner, { pins: ['nothing/here'], labels: { of: 'list' } });
    assert.equal(made.status, 201, made.text);
    assert.equal(made.headers['location'], `/v1/claims/${owner}`);
  }
  assert.equal(
    (await agent.local.get('/v1/claims/k8s/ns/pod')).body.owner,
    'k8s/ns/pod',
    '%2F equals a slash',
  );
  const bytes = (await agent.local.get('/v1/claims/list%FF')).body;
  assert.deepEqual(
    [bytes.owner, bytes.owner_bytes],
    ['list\uFFFD', Buffer.from('list\xff', 'latin1').toString('base64')],
  );
  const found: string[] = [];
  let cursor = '';
  do {
    const page = await agent.local.get(`/v1/claims?label=of%3Dlist&limit=2${cursor}`).expect(200);
    assertDeclared('GET', '/v1/claims', page);
    assert.equal(page.body.total, 5);
    found.push(...page.body.items.map(({ owner }: { owner: string }) => owner));
    cursor = page.body.next_cursor === null ? '' : `&cursor=${page.body.next_cursor}`;
  } while (cursor !== '');
  assert.deepEqual(found, ['k8s/ns/pod', 'list-a', 'list-b', 'list\uFFFD', 'ü']);
  const stream = await agent.local.get('/v1/claims?pin=nothing/here').set('accept', 'application/x-ndjson');
  assert.equal(stream.text.trim().split('\n').length, 6, 'five claims and a summary');
  for (const owner of owners) assert.equal((await release(owner)).status, 204);
});

test('a claim has as many pins as the limit says and not one more, and nonsense is refused', async () => {
  const pins = (count: number) => Array.from({ length: count }, (_, index) => `many/p${index}`);
  assert.equal((await put('many', { pins: pins(limits.claimPinsMax) })).status, 201);
  assert.equal((await put('many', { pins: pins(limits.claimPinsMax + 1) })).status, 422);
  await release('many');
  const year = limits.leaseMsMax / 1000;
  assert.equal((await put('lease', { pins: ['x'], lease: `${year}s` })).status, 201);
  await release('lease');
  const refused: readonly (readonly [object, string, string?])[] = [
    [{}, 'invalid_input', '/body/pins'],
    [{ pins: [] }, 'invalid_input'],
    [{ pins: ['x', 'a.b'] }, 'bad_path', '/body/pins/1'],
    [{ pins: [{ path_bytes: 'eB==' }] }, 'invalid_input', '/body/pins/0/path_bytes'],
    [{ pins: ['x'], lease: `${year + 1}s` }, 'invalid_input'],
    [{ pins: ['x'], lease: '999ms' }, 'invalid_input'],
    [{ pins: ['x'], lease: 'soon' }, 'invalid_input'],
    [{ pins: ['x'], more: true }, 'invalid_input'],
  ];
  for (const [body, code, pointer] of refused) {
    const answer = await put('nonsense', body);
    assert.deepEqual([answer.status, answer.body.code], [422, code], JSON.stringify(body));
    if (pointer !== undefined) assert.equal(answer.body.errors[0].pointer, pointer, answer.text);
  }
  assert.equal((await put('x'.repeat(limits.claimOwnerBytesMax), { pins: ['x'] })).status, 201);
  assert.equal((await put('x'.repeat(limits.claimOwnerBytesMax + 1), { pins: ['x'] })).status, 422);
  assert.equal((await put('nonsense', { pins: ['x'] }, '?mount=0:999999')).body.code, 'mount_not_found');
  assert.equal(
    (await put('nonsense', { pins: ['x'] }, '?force=true')).status,
    422,
    'there is nothing to force',
  );
});

test('only operators change claims, viewers see them, and a read-only agent keeps none', async () => {
  const viewer = agent.remote(await agent.token('viewer'));
  await viewer.get('/v1/claims').expect(200);
  await viewer
    .put('/v1/claims/pod-9')
    .send({ pins: ['x'] })
    .expect(403);
  await viewer.delete('/v1/claims/pod-9').expect(403);
  const operator = agent.remote(await agent.token('operator'));
  const made = await operator
    .put('/v1/claims/pod-9')
    .send({ pins: ['x'] })
    .expect(201);
  assert.match(made.body.renewed_by, /^api:operator/);
  await operator.delete('/v1/claims/pod-9').expect(204);
  await using still = await testAgent({ settings: { 'read-only': true } });
  const refused = await still.local.put('/v1/claims/pod').send({ pins: ['x'] });
  assert.equal(refused.body.code, 'read_only', refused.text);
});
