import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, statSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap, isAlive, pinnedMap } from '../support/bpftool.ts';
import { makeCgroups } from '../support/cgroups.ts';
import { commandLine } from '../support/command-line.ts';
import { hold } from '../support/hold.ts';
import { movedClock } from '../support/moved-clock.ts';
import { until, untilPasses } from '../support/until.ts';

let agent: TestAgent;
/** The agent's: times of grace end when the test says so. */
const clock = movedClock();
const hour = 3_600_000;
const decade = 10 * 365 * 24 * hour;
const patience = { timeoutMs: 60_000 };

before(async () => {
  agent = await testAgent({ clock, file: { gc: { min_age: '1s', pins_a_second: 10_000 } } });
});

after(async () => {
  await agent[Symbol.asyncDispose]();
});

const at = (name: string): string => `${agent.bpffs.path}/${name}`;
const staged = () => readdirSync(at('pinfold-staging'));

const later = (ms: number): void => {
  clock.setBy(ms);
  clock.sleep(ms);
};

/** Two hours later something is so; others on this machine who look at a map in passing put it off. */
async function isInTime(check: () => Promise<void>): Promise<void> {
  await untilPasses(async () => {
    later(2 * hour);
    await check();
  });
}

/** Waits until a clean-up is over, and gives what its operation says. */
async function ended(id: string): Promise<{ readonly outcome: string; readonly detail: string }> {
  return await until(
    'the clean-up is over',
    async () => (await agent.local.get(`/v1/operations/${id}`).expect(200)).body,
    ({ outcome }) => outcome !== 'running',
    patience,
  );
}

async function collect(body: object, status = 202) {
  const answer = await agent.local.post('/v1/gc').send({ min_age: '0s', ...body });
  assert.equal(answer.status, status, JSON.stringify(answer.body));
  return answer.body;
}

async function collectMore(prefix: string): Promise<{ readonly operation_id: string | null }> {
  return (await agent.local.post('/v1/gc').send({ min_age: '0s', prefix })).body;
}

async function quarantined(query: Record<string, unknown> = {}) {
  return (await agent.local.get('/v1/quarantine').query(query).expect(200)).body;
}

test('a dry run says of each pin what, why and what would be lost, and changes nothing', async () => {
  mkdirSync(at('dry'));
  const { id } = createMap(at('dry/orphan'));
  using holder = await hold('map:hash:4:8:16:pf_dry:0', `pin:0:${at('dry/used')}`);
  const query = 'prefix=dry&min_age=0s&rules=orphan_pin';
  const viewer = agent.remote(await agent.token('viewer'));
  const { body } = await viewer.get(`/v1/gc?${query}`).expect(200);
  assert.equal(body.dry_run, true);
  assert.equal(body.operation_id, null);
  const [line, ...others] = body.plan;
  assert.deepEqual(others, [], `the map of ${holder.pid} is not in the plan`);
  assert.deepEqual([line.path, line.kind, line.id, line.rule], ['dry/orphan', 'map', id, 'orphan_pin']);
  assert.match(line.why, /^Only 1 pin of its own keeps hash map \d+ "\w+" alive/);
  assert.deepEqual(line.hazards, ['last_reference']);
  assert.match(line.lost, /^hash map \d+ "\w+" and its 0 entries \(\d+ bytes\)$/);
  assert.equal(body.memory_bytes, line.memory_bytes);
  const same = await collect({ prefix: 'dry', dry_run: true }, 200);
  assert.deepEqual(
    same.plan.map(({ path }: { path: string }) => path),
    ['dry/orphan'],
  );
  assert.equal(existsSync(at('dry/orphan')), true);
  await viewer.post('/v1/gc').send({ dry_run: true }).expect(403);
  execFileSync('rm', ['-r', at('dry')]);
});

test('what nobody needs goes into quarantine, is listed there, and restored it is as it was', async () => {
  mkdirSync(at('leak'));
  const { id } = createMap(at('leak/one'));
  createMap(at('leak/two'));
  const before = statSync(at('leak/one'));
  const { operation_id, plan, grace_seconds } = await collect({ prefix: 'leak', grace: '1h' });
  assert.deepEqual(
    plan.map(({ path }: { path: string }) => path),
    ['leak/one', 'leak/two'],
  );
  assert.equal(grace_seconds, 3600);
  const operation = await ended(operation_id);
  assert.deepEqual([operation.outcome, operation.detail], ['applied', '2 of 2 pins went into quarantine.']);
  assert.equal(existsSync(at('leak/one')), false);
  assert.equal(isAlive('map', id), true);
  const { items, total } = await quarantined({ run: operation_id, limit: 1 });
  assert.equal(total, 2);
  const [one] = items;
  assert.deepEqual([one.path, one.kind, one.object_id, one.rule], ['leak/one', 'map', id, 'orphan_pin']);
  const hours = (Date.parse(one.expires_at) - Date.parse(one.quarantined_at)) / 3_600_000;
  assert.ok(hours > 0.99 && hours < 1.01, `${hours} hours of grace`);
  const { expires_at, ...shown } = (await agent.local.get(`/v1/quarantine/${one.id}`).expect(200)).body;
  assert.deepEqual({ ...shown, expires_at: one.expires_at }, one);
  // Told by two clocks that are read one after the other.
  const apartMs = Math.abs(Date.parse(expires_at) - Date.parse(one.expires_at));
  assert.ok(apartMs < 60_000, `${apartMs} ms`);

  const gone = await agent.local.get('/v1/pins/leak/one').expect(423);
  assert.deepEqual([gone.body.code, gone.body.quarantine_id], ['quarantined', one.id]);
  await agent.local.delete('/v1/pins/leak/one').expect(423);
  await agent.local.patch('/v1/pins/leak/one').send({ mode: '0640' }).expect(423);

  createMap(at('leak/one'));
  const taken = await agent.local.post(`/v1/quarantine/${one.id}/restore`).expect(409);
  assert.equal(taken.body.code, 'pin_exists');
  assert.match(taken.body.detail, /"leak\/one": it holds hash map \d+ /);
  execFileSync('rm', [at('leak/one')]);
  const { body, headers } = await agent.local.post(`/v1/quarantine/${one.id}/restore`).expect(200);
  assert.equal(body.inode, before.ino);
  assert.match(String(headers['pinfold-operation']), /^[0-9A-Z]{26}$/);
  assert.equal(pinnedMap(at('leak/one')).id, id);
  const listed = await agent.local.get('/v1/pins?prefix=leak').expect(200);
  assert.deepEqual(
    listed.body.items.map(({ path }: { path: string }) => path),
    ['leak/one'],
  );
  await agent.local.post(`/v1/quarantine/${one.id}/restore`).expect(404);
  const events = await agent.local.get('/v1/events?pin=leak/one').expect(200);
  const types = events.body.items.map(({ type }: { type: string }) => type);
  assert.ok(types.includes('pin.quarantined') && types.includes('pin.restored'), types.join());

  const [two] = (await quarantined({ prefix: 'leak' })).items;
  const refused = await agent.local.delete(`/v1/quarantine/${two.id}`).expect(409);
  assert.deepEqual(refused.body.hazards, ['last_reference']);
  await agent.local.delete(`/v1/quarantine/${two.id}?accept=last_reference`).expect(204);
  assert.deepEqual(staged(), []);
  await until('the map is freed', () => !isAlive('map', two.object_id));
  execFileSync('rm', ['-r', at('leak')]);
});

test('a pin that somebody has restored is as good as new, also over a restart', async () => {
  const said = async () => {
    const { body } = await agent.local.get('/v1/gc?prefix=wanted&min_age=1h').expect(200);
    return [body.plan.length, ...body.passed.map(({ reason }: { readonly reason: string }) => reason)];
  };
  mkdirSync(at('wanted'));
  createMap(at('wanted/again'));
  await agent.agent.reads.refresh();
  await isInTime(async () => assert.deepEqual(await said(), [1]));
  const { operation_id: run } = await collect({ prefix: 'wanted', min_age: '1h', grace: '24h' });
  await ended(run);
  const [kept] = (await quarantined({ run })).items;
  await agent.local.post(`/v1/quarantine/${kept.id}/restore`).expect(200);
  assert.deepEqual(await said(), [0, 'too_young']);
  renameSync(at('wanted/again'), at('wanted/renamed'));
  assert.deepEqual(await said(), [0, 'too_young'], 'whatever it is called by now');
  agent = await agent.restart();
  assert.deepEqual(await said(), [0, 'too_young']);
  await isInTime(async () => assert.deepEqual(await said(), [1]));
  execFileSync('rm', ['-r', at('wanted')]);
});

test('what something has just let go of stays for the minimum age, however old its pin', async () => {
  const said = async () => {
    const { body } = await agent.local.get('/v1/gc?prefix=rests&min_age=1h').expect(200);
    const passed = body.passed.map(({ why }: { readonly why: string }) => why);
    return [body.plan.length, ...passed];
  };
  mkdirSync(at('rests'));
  const { id } = createMap(at('rests/map'));
  const user = await hold(`id:map:${id}`);
  await agent.agent.reads.refresh();
  later(2 * hour);
  assert.deepEqual(await said(), [0]);
  await user.release();
  await untilPasses(async () => {
    const [planned, why = ''] = await said();
    assert.deepEqual([planned, /^something held it until/.test(why)], [0, true], why);
  });
  await isInTime(async () => assert.deepEqual(await said(), [1]));
  execFileSync('rm', ['-r', at('rests')]);
});

test('when grace is over what nobody needs is gone, and what somebody needs has its name back', async () => {
  mkdirSync(at('over'));
  const free = createMap(at('over/free'));
  const held = createMap(at('over/held'));
  const claimed = createMap(at('over/claimed'));
  const { operation_id } = await collect({ prefix: 'over', grace: '1h' });
  await ended(operation_id);
  assert.equal((await quarantined({ prefix: 'over' })).total, 3);
  using holder = await hold(`id:map:${held.id}`);
  await agent.local
    .put('/v1/claims/tester')
    .send({ pins: ['over/claimed'] })
    .expect((answer) => assert.ok([200, 201].includes(answer.status), JSON.stringify(answer.body)));
  const left = async (): Promise<number> => (await quarantined({ prefix: 'over' })).total;
  for (const jump of [decade, -2 * decade, decade]) {
    clock.setBy(jump);
    await agent.agent.reads.refresh();
    assert.equal(await left(), 3, 'whatever day it is, its time of grace is not over');
  }
  clock.sleep(hour);
  await until('the grace is over', left, (total) => total === 0, patience);
  assert.equal(pinnedMap(at('over/held')).id, held.id, `${holder.pid} has it`);
  assert.equal(pinnedMap(at('over/claimed')).id, claimed.id);
  assert.equal(existsSync(at('over/free')), false);
  await until('the map is freed', () => !isAlive('map', free.id), Boolean, patience);
  const { text } = await agent.local.get('/metrics').expect(200);
  for (const action of ['quarantined', 'restored', 'discarded'])
    assert.match(text, new RegExp(`^pinfold_gc_pins_total\\{action="${action}"\\} [1-9]`, 'm'));
  assert.match(text, /^pinfold_gc_quarantine_pins 0$/m);
  const again = await collect({ prefix: 'over' }, 200);
  assert.deepEqual(again.plan, []);
  assert.deepEqual(
    again.passed.map(({ reason }: { reason: string }) => reason),
    ['claimed'],
  );
  await agent.local.delete('/v1/claims/tester');
  execFileSync('rm', ['-r', at('over')]);
});

test('without quarantine what nobody needs is gone at once', async () => {
  mkdirSync(at('now'));
  const { id } = createMap(at('now/orphan'));
  const { operation_id } = await collect({ prefix: 'now', quarantine: false });
  await ended(operation_id);
  await until('the map is freed', () => !isAlive('map', id), Boolean, patience);
  assert.deepEqual(staged(), []);
  await collect({ prefix: 'now', quarantine: false, grace: '1h' }, 422);
  execFileSync('rm', ['-r', at('now')]);
});

test('rules that say nothing of need, and times that are none, are refused', async () => {
  for (const body of [{ rules: ['map_near_full'] }, { rules: [] }, { min_age: '1 day' }, { nonsense: 1 }])
    await collect(body, 422);
  await agent.local.get('/v1/gc?rules=hidden_holder').expect(422);
  await agent.local.get('/v1/gc?min_age=soon').expect(422);
  await agent.local.get('/v1/gc?mount=0:99999').expect(404);
  await agent.local.get('/v1/quarantine/nonsense').expect(422);
  await agent.local.get('/v1/quarantine/00000000000000000000000000').expect(404);
  await agent.local.delete('/v1/quarantine/00000000000000000000000000').expect(404);
});

test('what is in quarantine stays there over a restart, and its time goes on', async () => {
  mkdirSync(at('stays'));
  const { id } = createMap(at('stays/orphan'));
  const { operation_id } = await collect({ prefix: 'stays', grace: '1h' });
  await ended(operation_id);
  const [slot] = staged();
  clock.sleep(hour / 2);
  agent = await agent.restart();
  await agent.agent.reads.refresh();
  assert.deepEqual([(await quarantined({ prefix: 'stays' })).total, staged()], [1, [slot]]);
  clock.sleep(hour / 2);
  await until('the map is freed', () => !isAlive('map', id), Boolean, patience);
  assert.equal((await quarantined({ prefix: 'stays' })).total, 0);
  execFileSync('rm', ['-r', at('stays')]);
});

test('of two clean-ups at once one runs, and the other is told which', async () => {
  mkdirSync(at('twice'));
  for (const name of ['a', 'b', 'c']) createMap(at(`twice/${name}`));
  const ask = () => agent.local.post('/v1/gc').send({ min_age: '0s', prefix: 'twice' });
  const answers = await Promise.all([ask(), ask(), ask()]);
  const begun = answers.filter(({ body }) => body.operation_id !== null && body.code === undefined);
  for (const { status, body } of answers) {
    if (status === 409) assert.equal(body.code, 'conflict');
    else assert.ok([200, 202].includes(status), JSON.stringify(body));
  }
  for (const { body } of begun) await ended(body.operation_id);
  // What others looked at in passing has stayed.
  const kept = async () => {
    const { operation_id } = await collectMore('twice');
    if (operation_id !== null) await ended(operation_id);
    return await quarantined({ prefix: 'twice' });
  };
  const { items } = await until('all are in quarantine', kept, ({ total }) => total === 3, patience);
  assert.deepEqual(items.map(({ path }: { path: string }) => path).sort(), ['twice/a', 'twice/b', 'twice/c']);
  assert.equal(staged().length, 3);
  for (const { id } of items) await agent.local.post(`/v1/quarantine/${id}/restore`).expect(200);
  execFileSync('rm', ['-r', at('twice')]);
});

test('an agent that may change nothing only plans, and one without counts cannot even plan', async () => {
  const settings = (name: string) => ({ settings: { [name]: true }, bpffs: agent.bpffs });
  {
    await using frozen = await testAgent(settings('read-only'));
    await frozen.local.get('/v1/gc').expect(200);
    const { body } = await frozen.local.post('/v1/gc').send({}).expect(409);
    assert.equal(body.code, 'read_only');
  }
  await using blind = await testAgent(settings('pins-only'));
  assert.equal((await blind.local.get('/v1/gc').expect(501)).body.code, 'not_supported');
  assert.equal((await blind.local.post('/v1/gc').send({}).expect(501)).body.code, 'not_supported');
});

test('a link whose control group went is cleaned up; one that runs stays', async () => {
  mkdirSync(at('links'));
  using groups = makeCgroups(2);
  const [doomed = '', lasting = ''] = groups.paths;
  const holder = await hold(
    'prog:cgroup_skb:pf_gc_link',
    `link:cgroup:0:${doomed}`,
    `pin:1:${at('links/dead')}`,
    `link:cgroup:0:${lasting}`,
    `pin:2:${at('links/alive')}`,
  );
  const dead = holder.objects[1]?.id ?? 0;
  await holder.release();
  const plan = async () => (await agent.local.get('/v1/gc?prefix=links&min_age=0s').expect(200)).body.plan;
  assert.deepEqual(await plan(), []);
  rmdirSync(doomed);
  const [line] = await until('the link is found dead', plan, ({ length }) => length > 0);
  assert.deepEqual([line.path, line.kind, line.id, line.rule], ['links/dead', 'link', dead, 'dead_link']);
  assert.deepEqual(line.hazards, ['last_reference']);
  const { operation_id } = await collect({ prefix: 'links', quarantine: false });
  assert.equal((await ended(operation_id)).outcome, 'applied');
  await until('the link is freed', () => !isAlive('link', dead));
  assert.equal(existsSync(at('links/alive')), true);
  execFileSync('rm', ['-r', at('links')]);
});

test('objects that hold each other are in no plan, and end when all of their pins are unpinned', async () => {
  mkdirSync(at('round'));
  const maker = await hold(
    'map:prog_array:4:4:4:pf_round:0',
    `pin:0:${at('round/table')}`,
    'prog:xdp:pf_round:0',
    'put:0:1:1',
    `pin:1:${at('round/program')}`,
  );
  const [table = 0, program = 0] = maker.objects.map(({ id }) => id);
  await maker.release();
  await agent.agent.reads.refresh();
  const { body } = await agent.local.get('/v1/gc?prefix=round&min_age=0s').expect(200);
  assert.equal(body.pins, 0, JSON.stringify(body));
  const words = ['unpin', 'round/table', 'round/program', '--accept', 'prog_array_emptied,last_reference'];
  const done = await commandLine([...words, '--address', agent.socket]);
  assert.equal(done.code, 0, done.err);
  await until('the kernel has freed both', () => !isAlive('map', table) && !isAlive('prog', program));
  rmdirSync(at('round'));
});
