import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { writeClusterKey } from '../../src/cluster/signing/key-file.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { pinnedMap } from '../support/bpftool.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until, untilPasses } from '../support/until.ts';

/** The same machine stands for several: each agent has a bpffs, a state and a name of its own. */
const dir = tempDir('pinset-restore');
const key = join(dir.path, 'key');
writeClusterKey(key);
let etcd: TestEtcd | undefined;
const agents: TestAgent[] = [];
const opening = open();
const patience = { timeoutMs: 120_000, everyMs: 100 };
const url = '/v1/cluster/pinsets/edge-acl';

async function open() {
  etcd = await startEtcd();
  const { urls } = etcd;
  const node = async (name: string, role: string, more: Readonly<Record<string, boolean>> = {}) => {
    const settings = { node: name, etcd: urls, 'cluster-key': key, label: [`role=${role}`], ...more };
    const agent = await testAgent({ settings });
    agents.push(agent);
    return agent;
  };
  const a = await node('a', 'edge', { manager: true });
  const [b, c] = await Promise.all([node('b', 'edge'), node('c', 'core')]);
  await until(
    'all nodes',
    async () => (await a.local.get('/v1/cluster/nodes').expect(200)).body.items,
    (items) => items.filter(({ state }: { readonly state: string }) => state === 'ready').length === 3,
    patience,
  );
  return { etcd, node, a, b, c };
}

after(async () => {
  await opening.catch(() => undefined);
  for (const agent of agents) await agent[Symbol.asyncDispose]();
  etcd?.[Symbol.dispose]();
  dir[Symbol.dispose]();
});

function setOf(...paths: readonly string[]) {
  const map = { type: 'hash', key_size: 4, value_size: 4, max_entries: 16 };
  return { selector: { role: 'edge' }, rollout: { canary: 1 }, pins: paths.map((path) => ({ path, map })) };
}

async function untilDone(manager: TestAgent, name: string, generation: number): Promise<void> {
  await until(
    `generation ${generation} of ${name}`,
    async () => (await manager.local.get(`/v1/cluster/pinsets/${name}/status`)).body,
    ({ rollout, nodes }) =>
      rollout?.generation === generation && rollout.state === 'done' && nodes.done === nodes.total,
    patience,
  );
}

function has({ bpffs }: TestAgent, path: string): boolean {
  return existsSync(join(bpffs.path, path));
}

test('a pin set comes to the nodes it is meant for, also to a later one, and to no other', async () => {
  const { a, b, c, node } = await opening;
  await a.local.put(url).send(setOf('acl')).expect(201);
  await untilDone(a, 'edge-acl', 1);
  for (const agent of [a, b]) assert.equal(pinnedMap(join(agent.bpffs.path, 'acl')).max_entries, 16);
  const late = await node('late', 'edge');
  await until('the late one to have it', () => has(late, 'acl'), Boolean, patience);
  assert.equal(has(c, 'acl'), false);
  const { body } = await a.local.get(`${url}/status`).expect(200);
  assert.deepEqual(
    body.items.map((item: { readonly node: string }) => item.node),
    ['a', 'b', 'late'],
  );
  await c.local.get(url).expect(421);
});

test('after a restore from an older backup nothing is undone, and what was lost can be adopted', async () => {
  const { a, b, c, etcd: store } = await opening;
  const saved = join(dir.path, 'backup');
  store.save(saved);
  await a.local.put(url).send(setOf('acl', 'more')).expect(200);
  await untilDone(a, 'edge-acl', 2);
  const lost = '/v1/cluster/pinsets/lost';
  await a.local.put(lost).send(setOf('lost')).expect(201);
  await untilDone(a, 'lost', 1);
  await store.restore(saved);
  const { body } = await until(
    'what can be adopted',
    async () => await a.local.get('/v1/cluster/adoptable'),
    (answer) => answer.body.items?.length === 2 && answer.body.items[0].nodes.length === 3,
    patience,
  );
  const told = body.items.map(({ name, stored_generation: stored, nodes }: Record<string, unknown>) => {
    const [{ generation }] = Object(nodes);
    return [name, stored, generation];
  });
  assert.deepEqual(told, [
    ['edge-acl', 1, 2],
    ['lost', null, 1],
  ]);
  for (const path of ['acl', 'more', 'lost']) for (const agent of [a, b]) assert.ok(has(agent, path), path);
  await untilPasses(async () => {
    const { body: status } = await a.local.get(`${url}/status`).expect(200);
    assert.ok(
      status.items.every(({ ahead_of_store: isAhead }: { readonly ahead_of_store?: boolean }) => isAhead),
      JSON.stringify(status.items),
    );
  }, patience);

  const put = await a.local.put(url).send(setOf('acl')).expect(200);
  assert.equal(put.body.generation, 3, 'newer than what any node has, though the store knew 1');
  await untilDone(a, 'edge-acl', 3);
  const adopted = await a.local.post(`${lost}/adopt`).send({ node: 'b' }).expect(201);
  assert.equal(adopted.body.generation, 2);
  assert.deepEqual(adopted.body.spec.pins[0].path, 'lost');
  await untilDone(a, 'lost', 2);
  await until(
    'nothing to adopt',
    async () => (await a.local.get('/v1/cluster/adoptable')).body.total,
    (total) => total === 0,
    patience,
  );
  for (const agent of [a, b]) assert.ok(has(agent, 'lost') && has(agent, 'more'), 'nothing was taken away');
  assert.equal(has(c, 'lost'), false);
});

test('another specification under a number that nodes have applied is not taken for theirs', async () => {
  const { a, etcd: store } = await opening;
  const twice = '/v1/cluster/pinsets/twice';
  await a.local.put(twice).send(setOf('one')).expect(201);
  await untilDone(a, 'twice', 1);
  const spec = { name: 'twice', ...setOf('two') };
  const document = { generation: 1, spec, time: new Date().toISOString(), actor: 'test' };
  store.ctl('put', '/pinfold/v1/desired/twice', JSON.stringify(document));
  await until(
    'nodes to say so',
    async () => (await a.local.get(`${twice}/status`)).body.items,
    (items) => items.every((item: { readonly ahead_of_store?: boolean }) => item.ahead_of_store === true),
    patience,
  );
  assert.equal(has(a, 'two'), false);
  const put = await a.local.put(twice).send(spec).expect(200);
  assert.equal(put.body.generation, 2, 'though it is what the store has already');
  await untilDone(a, 'twice', 2);
  assert.ok(has(a, 'two') && has(a, 'one'));
});
