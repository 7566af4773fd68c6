import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import type supertest from 'supertest';
import { roles } from '../../src/model/role.ts';
import { testAgent } from '../support/agent.ts';
import { assertDeclared } from '../support/answer-check.ts';
import { until } from '../support/until.ts';

/** A machine by itself is the manager of a fleet of one. */
const opening = testAgent({ settings: { node: 'edge-1', label: ['role=edge'] } });
after(async () => await (await opening)[Symbol.asyncDispose]());

const patience = { timeoutMs: 60_000, everyMs: 50 };
const map = { type: 'hash', key_size: 4, value_size: 4, max_entries: 16 };

/** A pin set of one map at a path of its own, for the node of this file. */
function setOf(path: string, more: object = {}) {
  return { selector: { role: 'edge' }, pins: [{ path, map, ...more }] };
}

async function untilDone(name: string, generation: number): Promise<void> {
  const { local } = await opening;
  await until(
    `generation ${generation} of ${name}`,
    async () => (await local.get(`/v1/cluster/pinsets/${name}/status`).expect(200)).body,
    ({ rollout, nodes }) => rollout?.generation === generation && nodes.done === nodes.total,
    patience,
  );
}

test('each route of pin sets answers as it is declared, also when it refuses', async () => {
  const { local } = await opening;
  const template = '/v1/cluster/pinsets/{name}';
  const told = async (method: string, path: string, sent: supertest.Test, status: number) => {
    const answer = await sent;
    assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
    assertDeclared(method, path, answer);
    return answer.body;
  };
  await told('PUT', template, local.put('/v1/cluster/pinsets/told').send(setOf('told')), 201);
  await untilDone('told', 1);
  await told('PUT', template, local.put('/v1/cluster/pinsets/told').send(setOf('told')), 200);
  await told('PUT', template, local.put('/v1/cluster/pinsets/told?dry_run=true').send(setOf('x')), 200);
  await told('PUT', template, local.put('/v1/cluster/pinsets/told').send({ pins: [{}] }), 422);
  await told('PUT', template, local.put('/v1/cluster/pinsets/-told').send(setOf('x')), 422);
  await told('GET', template, local.get('/v1/cluster/pinsets/told'), 200);
  await told('GET', template, local.get('/v1/cluster/pinsets/told').set('if-none-match', '"1"'), 304);
  await told('GET', template, local.get('/v1/cluster/pinsets/nobody'), 404);
  await told('GET', '/v1/cluster/pinsets', local.get('/v1/cluster/pinsets'), 200);
  await told('GET', '/v1/cluster/adoptable', local.get('/v1/cluster/adoptable'), 200);
  const status = await told('GET', `${template}/status`, local.get('/v1/cluster/pinsets/told/status'), 200);
  assert.deepEqual(
    [status.items[0].node, status.items[0].state, status.items[0].rollout, status.nodes.done],
    ['edge-1', 'ok', 'well', 1],
  );
  const same = await told('GET', `${template}/diff`, local.get('/v1/cluster/pinsets/told/diff'), 200);
  assert.deepEqual([same.complete, same.items[0].steps], [true, []]);
  const other = local.post('/v1/cluster/pinsets/told/diff').send(setOf('other'));
  const diff = await told('POST', `${template}/diff`, other, 200);
  assert.deepEqual([diff.items[0].steps[0].action, diff.items[0].steps[0].path], ['make_map', 'other']);
  await told('POST', `${template}/pause`, local.post('/v1/cluster/pinsets/told/pause'), 409);
  await told('POST', `${template}/resume`, local.post('/v1/cluster/pinsets/told/resume'), 409);
  await told('POST', `${template}/rollback`, local.post('/v1/cluster/pinsets/told/rollback'), 409);
  const adopt = (name: string, node: string) =>
    told('POST', `${template}/adopt`, local.post(`/v1/cluster/pinsets/${name}/adopt`).send({ node }), 404);
  await adopt('nobody', 'edge-1');
  await adopt('told', 'edge-9');
  const again = local.post('/v1/cluster/pinsets/told/adopt').send({ node: 'edge-1' });
  assert.equal((await told('POST', `${template}/adopt`, again, 200)).generation, 1);
  await told('DELETE', template, local.delete('/v1/cluster/pinsets/told?dry_run=true'), 200);
  await told('DELETE', template, local.delete('/v1/cluster/pinsets/told').set('if-match', '"9"'), 412);
  await told('DELETE', template, local.delete('/v1/cluster/pinsets/told?prune=false'), 204);
  await told('DELETE', template, local.delete('/v1/cluster/pinsets/told'), 404);
  await told('POST', `${template}/rollback`, local.post('/v1/cluster/pinsets/told/rollback'), 201);
});

test('viewers look, operators change, and what maps begin with is shown to readers and above', async () => {
  const { local, token, remote } = await opening;
  const entries = [{ key: 'hex:01000000', value: 'hex:02000000' }];
  const url = '/v1/cluster/pinsets/secret';
  await local.put(url).send(setOf('secret', { entries })).expect(201);
  await until(
    'the node to have it',
    () => local.get('/v1/pinsets/secret'),
    ({ ok }) => ok,
    patience,
  );
  for (const role of roles) {
    const as = remote(await token(role));
    const mayRead = role !== 'viewer';
    const { body } = await as.get(url).expect(200);
    assert.deepEqual(body.spec.pins[0].entries, mayRead ? entries : undefined, role);
    assert.equal(body.entries_withheld, mayRead ? undefined : true, role);
    const listed = await as.get('/v1/cluster/pinsets').expect(200);
    assert.equal(JSON.stringify(listed.body).includes('hex:02000000'), mayRead, role);
    const own = await as.get('/v1/pinsets/secret').expect(200);
    assert.deepEqual(own.body.spec.pins[0].entries, mayRead ? entries : undefined, role);
    const ownList = await as.get('/v1/pinsets').expect(200);
    assert.equal(JSON.stringify(ownList.body).includes('hex:02000000'), mayRead, role);
    await as.get(`${url}/status`).expect(200);
    await as.get(`${url}/diff`).expect(200);
    await as.post(`${url}/diff`).send(setOf('secret')).expect(200);
    const mayChange = role === 'operator' || role === 'admin';
    const status = (allowed: number): number => (mayChange ? allowed : 403);
    await as.put(`${url}?dry_run=true`).send(setOf('secret')).expect(status(200));
    await as.put(url).set('if-match', '"99"').send(setOf('secret')).expect(status(412));
    await as.delete(url).set('if-match', '"99"').expect(status(412));
    for (const what of ['pause', 'resume', 'rollback'])
      await as.post(`/v1/cluster/pinsets/nobody/${what}`).expect(status(404));
    await as.post(`${url}/adopt`).send({ node: 'nobody' }).expect(status(404));
  }
});

test('pages of pin sets and of nodes are like all others, and every change is in the audit log', async () => {
  const { local, logs } = await opening;
  for (const name of ['page-a', 'page-b', 'page-c'])
    await local.put(`/v1/cluster/pinsets/${name}`).send({ pins: [] }).expect(201);
  const names: string[] = [];
  let cursor = '';
  do {
    const { body } = await local.get(`/v1/cluster/pinsets?limit=2${cursor}`).expect(200);
    names.push(...body.items.map(({ name }: { readonly name: string }) => name));
    cursor = body.next_cursor === null ? '' : `&cursor=${body.next_cursor}`;
  } while (cursor !== '');
  assert.deepEqual(names, [...names].sort());
  for (const name of ['page-a', 'page-b', 'page-c']) assert.ok(names.includes(name), name);
  const lines = await local.get('/v1/cluster/pinsets').set('accept', 'application/x-ndjson').expect(200);
  assert.match(String(lines.text ?? lines.body), /"summary":\{"count":\d+,"complete":true/);
  await local.get('/v1/cluster/pinsets/page-a/status?limit=1').expect(200);
  await local.get('/v1/cluster/pinsets?nonsense=1').expect(422);
  const audited = logs.map((line) => JSON.parse(line)).filter(({ message }) => message === 'audit');
  assert.ok(
    audited.some(
      ({ method, target, actor, status }) =>
        method === 'PUT' &&
        target === '/v1/cluster/pinsets/page-b' &&
        /^uid:0 /.test(actor) &&
        status === 201,
    ),
    JSON.stringify(audited.at(-1)),
  );
});

test('of puts at the same time each is a generation of its own, and with If-Match one wins', async () => {
  const { local } = await opening;
  const url = '/v1/cluster/pinsets/busy';
  await local.put(url).send({ pins: [] }).expect(201);
  const all = await Promise.all(
    Array.from({ length: 8 }, (_, index) => local.put(url).send({ selector: { n: String(index) } })),
  );
  const generations = all.map(({ body }) => body.generation).sort();
  assert.deepEqual(generations, [2, 3, 4, 5, 6, 7, 8, 9]);
  const matched = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      local
        .put(url)
        .set('if-match', '"9"')
        .send({ selector: { m: String(index) } }),
    ),
  );
  assert.deepEqual(matched.map(({ status }) => status).sort(), [200, ...Array(7).fill(412)]);
});
