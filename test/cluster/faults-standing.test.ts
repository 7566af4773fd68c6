import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { writeClusterKey } from '../../src/cluster/signing/key-file.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { fillUp, startEtcd, type TestEtcd } from '../support/etcd.ts';
import { type SlowProxy, startSlowProxy } from '../support/slow-proxy.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until, untilPasses } from '../support/until.ts';

const patience = { timeoutMs: 90_000, everyMs: 100 };
/** So soon after healing a rollout has come to its end. */
const convergedMs = 30_000;
const names = ['a', 'b', 'c'] as const;
const url = '/v1/cluster/pinsets/set';

/** Three nodes, the first a manager, each with a way of its own to one member of etcd. */
interface World extends AsyncDisposable {
  readonly etcd: TestEtcd;
  readonly ways: readonly SlowProxy[];
  readonly nodes: Readonly<Record<(typeof names)[number], TestAgent>>;
  readonly file: (name: string) => string;
}

async function openWorld(delayMs = 0): Promise<World> {
  const dir = tempDir('standing');
  const etcd = await startEtcd(1, ['--quota-backend-bytes', String(2 * 1024 * 1024)]);
  const key = join(dir.path, 'key');
  writeClusterKey(key);
  const ways: SlowProxy[] = [];
  const started: TestAgent[] = [];
  const dispose = async (): Promise<void> => {
    for (const at of started) await at[Symbol.asyncDispose]();
    for (const way of ways) await way[Symbol.asyncDispose]();
    etcd[Symbol.dispose]();
    dir[Symbol.dispose]();
  };
  const node = async (name: string): Promise<TestAgent> => {
    const way = await startSlowProxy(etcd.urls[0] ?? '', delayMs);
    ways.push(way);
    const settings = { node: name, etcd: [way.url], 'cluster-key': key, manager: name === 'a' };
    const at = await testAgent({ settings });
    started.push(at);
    return at;
  };
  try {
    const nodes = { a: await node('a'), b: await node('b'), c: await node('c') };
    const file = (name: string): string => join(dir.path, name);
    return { etcd, ways, nodes, file, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Wants maps of these numbers, and of a node that is told of, that it has something of its own, too. */
async function put({ nodes: { a } }: World, count: number, expected: readonly string[] = []): Promise<void> {
  const map = { type: 'hash', key_size: 4, value_size: 8, max_entries: 16 };
  const pins = Array.from({ length: count }, (_, index) => ({ path: `set/g${index + 1}`, map }));
  const own = expected.map((path) => ({ path, expect: { kind: 'map' } }));
  const { status, body } = await a.local.put(url).send({ all: true, pins: [...pins, ...own], prune: true });
  assert.ok(status === 200 || status === 201, JSON.stringify(body));
}

/** How the nodes stand, by what the manager tells: `a 2 ok, b 2 drifted, c 1 ok; paused`. */
async function standing({ nodes: { a } }: World): Promise<string> {
  const { body } = await a.local.get(`${url}/status`);
  const each = body.items?.map(
    ({ node, generation, state }: Record<string, string>) => `${node} ${generation} ${state}`,
  );
  return `${each?.join(', ')}; ${body.rollout?.state}`;
}

async function untilStanding(world: World, expected: string, within = patience): Promise<void> {
  const look = async (): Promise<string> => await standing(world);
  await until(`the nodes to stand at ${expected}`, look, (seen) => seen === expected, within);
}

/** Which of the nodes have the second map: only those that were let. */
function haveSecond({ nodes }: World): readonly string[] {
  return names.filter((name) => existsSync(`${nodes[name].bpffs.path}/set/g2`));
}

/** Brings a rollout to where it stands at the second of three nodes: that lacks what it expects to find. */
async function standAtSecond(world: World): Promise<void> {
  const { a, c } = world.nodes;
  for (const at of [a, c]) createMap(`${at.bpffs.path}/own`, { name: 'pf_own' });
  await untilPasses(async () => {
    const { body } = await a.local.get('/v1/cluster/nodes').expect(200);
    assert.deepEqual(
      body.items.map(({ state }: { state: string }) => state),
      ['ready', 'ready', 'ready'],
    );
  }, patience);
  await put(world, 1);
  await untilStanding(world, 'a 1 ok, b 1 ok, c 1 ok; done');
}

async function goToSecond(world: World): Promise<void> {
  await put(world, 2, ['own']);
  await untilStanding(world, 'a 2 ok, b 2 drifted, c 1 progressing; paused');
  assert.deepEqual(haveSecond(world), ['a', 'b']);
}

/** What the second lacked is there: nobody can be told, but it is seen on the node itself. */
async function mend({ nodes: { b } }: World): Promise<void> {
  createMap(`${b.bpffs.path}/own`, { name: 'pf_own' });
  await b.local.get('/v1/pins/own').expect(200);
  const own = async () => (await b.local.get('/v1/pinsets/set').expect(200)).body.status.state;
  await until('the node itself to be well', own, (state) => state === 'ok', patience);
}

async function converges(world: World, t: { diagnostic(text: string): void }): Promise<void> {
  const from = performance.now();
  await untilStanding(world, 'a 2 ok, b 2 ok, c 2 ok; done', { ...patience, timeoutMs: convergedMs });
  t.diagnostic(`converged after ${Math.round(performance.now() - from)} ms`);
  assert.deepEqual(haveSecond(world), names);
}

test('a rollout stands while etcd is full, and goes on when it has room', async (t) => {
  await using world = await openWorld();
  const { etcd } = world;
  await standAtSecond(world);
  await goToSecond(world);
  const makeRoom = await fillUp(etcd);
  await mend(world);
  assert.deepEqual(haveSecond(world), ['a', 'b'], 'nobody is opened by what could not be said');
  const { body } = await world.nodes.a.local.put(url).send({ all: true }).expect(503);
  assert.equal(body.code, 'cluster_unavailable');
  makeRoom();
  await converges(world, t);
});

test('a rollout goes on over a history that was compacted while all were cut off', async (t) => {
  await using world = await openWorld();
  const { etcd, ways } = world;
  await standAtSecond(world);
  await goToSecond(world);
  for (const way of ways) way.cut(true);
  await mend(world);
  for (const value of ['1', '2', '3']) etcd.ctl('put', '/pinfold/v1/desired/other', value);
  const { header } = JSON.parse(etcd.ctl('del', '/pinfold/v1/desired/other', '-w', 'json'));
  etcd.ctl('compaction', String(header.revision));
  assert.deepEqual(haveSecond(world), ['a', 'b']);
  for (const way of ways) way.cut(false);
  await converges(world, t);
});

test('a rollout through an etcd that takes its time keeps its order, and comes to its end', async (t) => {
  await using world = await openWorld(200);
  await standAtSecond(world);
  await goToSecond(world);
  await mend(world);
  await converges(world, t);
});

test('a backup from before a rollout undoes nothing, and what it lacks can be adopted', async (t) => {
  await using world = await openWorld();
  const { etcd, file } = world;
  const { a } = world.nodes;
  await standAtSecond(world);
  etcd.save(file('backup'));
  await goToSecond(world);
  await etcd.restore(file('backup'), 'the cluster id');
  const { body } = await until(
    'what the store lacks to be listed',
    async () => await a.local.get('/v1/cluster/adoptable'),
    ({ body: { items } }) => items?.[0]?.nodes.length === 2,
    patience,
  );
  const [{ name, stored_generation: stored, nodes }] = body.items;
  assert.deepEqual(
    [name, stored, nodes.map(({ node, generation }: Record<string, unknown>) => `${node} ${generation}`)],
    ['set', 1, ['a 2', 'b 2']],
  );
  assert.deepEqual(haveSecond(world), ['a', 'b'], 'nobody goes back, and nobody on');
  await mend(world);
  await a.local.post(`${url}/adopt`).send({ node: 'a' }).expect(200);
  const from = performance.now();
  const within = { ...patience, timeoutMs: convergedMs };
  await untilStanding(world, 'a 3 ok, b 3 ok, c 3 ok; done', within);
  t.diagnostic(`converged after ${Math.round(performance.now() - from)} ms`);
  assert.deepEqual(haveSecond(world), names);
});
