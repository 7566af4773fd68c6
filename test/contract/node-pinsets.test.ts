import assert from 'node:assert/strict';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { isAlive, pinnedMap } from '../support/bpftool.ts';
import { commandLine } from '../support/command-line.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until, untilPasses } from '../support/until.ts';

const patience = { timeoutMs: 60_000, everyMs: 50 };
const map = { type: 'hash', key_size: 4, value_size: 4, max_entries: 8 };

/** Wants a pin set of the agent that is its own manager, and waits until its node has it. */
async function want(agent: TestAgent, name: string, body: object): Promise<void> {
  const { status } = await agent.local.put(`/v1/cluster/pinsets/${name}`).send(body);
  assert.ok(status === 200 || status === 201, `${status}`);
  await until(
    `${name} to be applied`,
    async () => (await agent.local.get(`/v1/pinsets/${name}`)).body.status?.state,
    (state) => state === 'ok',
    patience,
  );
}

test('a node lists the pin sets it has applied, by pages, and shows one; viewers may', async () => {
  await using agent = await testAgent();
  for (const name of ['one', 'two']) await want(agent, name, { all: true, pins: [{ path: name, map }] });
  const viewer = agent.remote(await agent.token('viewer'));
  const page = await viewer.get('/v1/pinsets?limit=1').expect(200);
  assert.deepEqual([page.body.total, page.body.items.length, page.body.items[0].name], [2, 1, 'one']);
  const next = await viewer.get('/v1/pinsets').query({ cursor: page.body.next_cursor }).expect(200);
  assert.deepEqual([next.body.items[0].name, next.body.next_cursor], ['two', null]);
  const { body } = await viewer.get('/v1/pinsets/two').expect(200);
  assert.deepEqual([body.generation, body.spec.pins, body.made], [1, [{ path: 'two', map }], ['two']]);
  assert.equal((await viewer.get('/v1/pinsets/three').expect(404)).body.code, 'pinset_not_found');
});

test('a diff is asked of a node by anybody who may look, and changes nothing', async () => {
  await using agent = await testAgent();
  const viewer = agent.remote(await agent.token('viewer'));
  const spec = { all: true, pins: [{ path: 'new', map }] };
  const { body } = await viewer.post('/v1/pinsets/diff').send(spec).expect(200);
  assert.deepEqual([body.selected, body.drifts], [true, []]);
  assert.deepEqual(
    body.steps.map(({ path, action }: Record<string, string>) => [path, action]),
    [['new', 'make_map']],
  );
  const pins = [{ path: 'a.b', map }, { path: 'c' }];
  const refused = await viewer.post('/v1/pinsets/diff').send({ all: true, pins }).expect(422);
  assert.deepEqual(
    refused.body.errors.map(({ pointer }: Record<string, string>) => pointer),
    ['/body/pins/1', '/body/pins/0/path'],
  );
  assert.equal(existsSync(join(agent.bpffs.path, 'new')), false);
  assert.deepEqual((await viewer.get('/v1/pinsets').expect(200)).body.items, []);
});

test('doctor knows what protects pins, and leave lets it go where the name still holds', async () => {
  using bpffs = mountBpffs('mode=0700');
  using dir = tempDir('leave');
  const stateDir = join(dir.path, 'state');
  const places = ['--bpffs', bpffs.path, '--state-dir', stateDir, '--run-dir', join(dir.path, 'run')];
  const at = (name: string): string => join(bpffs.path, name);
  const pins = ['kept', 'lost'].map((path) => ({ path, map, protect: true }));
  {
    await using agent = await testAgent({ bpffs, stateDir });
    await want(agent, 'set', { all: true, pins });
    const running = await commandLine(['doctor', ...places, '--address', agent.socket]);
    assert.match(running.out, /^(ok|warn) +staging +(leftovers: )?2 for pin sets$/m);
  }
  const lost = pinnedMap(at('lost')).id;
  rmSync(at('lost'));
  const left = await commandLine(['leave', ...places]);
  assert.match(left.out, /nothing else holds the object/);
  assert.equal(readdirSync(at('pinfold-staging')).length, 1);
  assert.ok(isAlive('map', lost) && existsSync(at('kept')));
  {
    await using _agent = await testAgent({ bpffs, stateDir });
    await untilPasses(() => assert.equal(pinnedMap(at('lost')).id, lost), patience);
  }
});
