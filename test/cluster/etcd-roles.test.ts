import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test, { after } from 'node:test';
import { openEtcdStore } from '../../src/cluster/etcd/etcd-store.ts';
import { type ClusterKey, clusterKey, clusterPrefix, parseClusterName } from '../../src/model/cluster/key.ts';
import type { ClusterStore } from '../../src/model/cluster/store.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import { testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';
import { testManager } from '../support/manager.ts';
import { type Pair, type TestPki, testPki } from '../support/pki.ts';
import { repoPath } from '../support/repo-root.ts';
import { until } from '../support/until.ts';

const script = repoPath('deploy', 'etcd', 'roles.sh');
const patience = { timeoutMs: 60_000, everyMs: 100 };
let pki: TestPki | undefined;
let etcd: TestEtcd | undefined;
const opening = open();

/** Runs the script as root of etcd. */
type Roles = (...words: readonly string[]) => string;

async function open() {
  const ours = await testPki();
  pki = ours;
  const [member, root] = [await ours.issue('etcd-1'), await ours.issue('root')];
  const started = await startEtcd(1, [], { ca: ours.ca, member, root });
  etcd = started;
  const env = {
    ...process.env,
    ETCDCTL_ENDPOINTS: started.urls.join(),
    ETCDCTL_CACERT: ours.ca,
    ETCDCTL_CERT: root.cert,
    ETCDCTL_KEY: root.key,
  };
  const roles: Roles = (...words) => execFileSync(script, words, { encoding: 'utf8', env, stdio: 'pipe' });
  // Twice: whoever adds a node runs it again.
  for (const words of [['manager', 'm'], ['enable'], ['node', 'a', 'ab'], ['manager', 'm'], ['node', 'a']])
    roles(...words);
  const pairs = {
    a: await ours.issue('a', { isNode: true }),
    ab: await ours.issue('ab', { isNode: true }),
    m: await ours.issue('m', { isManager: true }),
    stranger: await ours.issue('stranger', { isNode: true }),
  };
  return { pki: ours, etcd: started, roles, pairs };
}

after(async () => {
  await opening.catch(() => undefined);
  etcd?.[Symbol.dispose]();
  pki?.[Symbol.dispose]();
});

async function storeOf(pair: Pair): Promise<ClusterStore & AsyncDisposable> {
  const { pki: ours, etcd: started } = await opening;
  const [ca, cert, key] = [ours.ca, pair.cert, pair.key].map((file) => readFileSync(file, 'utf8'));
  const store = openEtcdStore({ urls: started.urls, tls: { ca, cert, key } });
  return Object.assign(store, { [Symbol.asyncDispose]: async () => await store.close() });
}

/** What a call came to: `yes`, or the code of its refusal. */
async function may(call: Promise<unknown>): Promise<string> {
  return await call.then(
    () => 'yes',
    (error: unknown) => {
      if (isPinfoldError(error)) return error.code;
      throw error;
    },
  );
}

const name = parseClusterName('x');
const [a, ab] = [parseClusterName('a'), parseClusterName('ab')];
const keys: Readonly<Record<string, ClusterKey>> = {
  'own member': clusterKey('nodes', a, 'member'),
  'own digest': clusterKey('nodes', a, 'digest'),
  'own status': clusterKey('nodes', a, 'status', name),
  'another’s member': clusterKey('nodes', ab, 'member'),
  'another’s status': clusterKey('nodes', ab, 'status', name),
  desired: clusterKey('desired', name),
  rollout: clusterKey('rollout', name),
  token: clusterKey('tokens', name),
  leader: clusterKey('manager', 'leader'),
};

/** Each key, and whether somebody may read, put and delete it: `yes` or the refusal of each. */
async function rightsOf(store: ClusterStore): Promise<Record<string, string>> {
  const rights: Record<string, string> = {};
  for (const [what, key] of Object.entries(keys)) {
    const read = await may(store.get(key));
    const put = await may(store.txn({ conditions: [], changes: [{ put: key, value: '{}' }] }));
    const gone = await may(store.txn({ conditions: [], changes: [{ delete: key }] }));
    rights[what] = [read, put, gone].join(' ');
  }
  return rights;
}

const all = 'yes yes yes';
const readOnly = 'yes forbidden forbidden';
const none = 'forbidden forbidden forbidden';

test('a node may write what is its own, read what is desired, and nothing else', async () => {
  const { pairs } = await opening;
  await using store = await storeOf(pairs.a);
  assert.deepEqual(await rightsOf(store), {
    'own member': all,
    'own digest': all,
    'own status': all,
    'another’s member': none,
    'another’s status': none,
    desired: readOnly,
    rollout: readOnly,
    token: none,
    leader: none,
  });
  assert.equal(await may(store.list(clusterPrefix('nodes'))), 'forbidden');
  assert.equal(
    await may(store.list(clusterPrefix('nodes', ab))),
    'forbidden',
    'a is not the beginning of ab',
  );
  assert.equal(await may(store.list(clusterPrefix('nodes', a))), 'yes');
});

test('a manager may do everything of the fleet; a node nobody made known, nothing', async () => {
  const { pairs } = await opening;
  await using manager = await storeOf(pairs.m);
  const everything = Object.fromEntries(Object.keys(keys).map((what) => [what, all]));
  assert.deepEqual(await rightsOf(manager), everything);
  await using stranger = await storeOf(pairs.stranger);
  const nothing = Object.fromEntries(Object.keys(keys).map((what) => [what, none]));
  assert.deepEqual(await rightsOf(stranger), nothing);
});

test('a node cannot smuggle another’s key, or a question about it, into its transactions', async () => {
  const { pairs } = await opening;
  await using store = await storeOf(pairs.a);
  const own = keys['own digest'] ?? assert.fail();
  const others = keys['another’s member'] ?? assert.fail();
  const both = [
    { put: own, value: '{}' },
    { put: others, value: '{}' },
  ];
  assert.equal(await may(store.txn({ conditions: [], changes: both })), 'forbidden');
  const conditions = [{ key: others, modRevision: 0 }];
  assert.equal(await may(store.txn({ conditions, changes: [{ put: own, value: '{}' }] })), 'forbidden');
  assert.equal((await store.get(own)).value, undefined);
  const lease = await store.lease(10);
  const leased = { put: others, value: '{}', lease };
  assert.equal(await may(store.txn({ conditions: [], changes: [leased] })), 'forbidden');
  await lease.renew();
  await lease.revoke();
});

test('agents and managers need no more than that: a node joins, its manager asks it', async () => {
  const { pki: ours, etcd: started, pairs } = await opening;
  const etcdOf = ({ cert, key }: Pair) => ({
    etcd: started.urls,
    'etcd-ca': ours.ca,
    'etcd-cert': cert,
    'etcd-key': key,
  });
  const settings = { node: 'a', ...etcdOf(pairs.a), ...ours.settings(pairs.a) };
  await using node = await testAgent({ settings });
  createMap(`${node.bpffs.path}/one`, { name: 'pf_one' });
  await node.local.get('/v1/pins?fresh=true').expect(200);
  await using manager = await testManager({ node: 'm', ...etcdOf(pairs.m), ...ours.settings(pairs.m) });
  await until(
    'the node to be ready, with a digest',
    async () => (await manager.local.get('/v1/cluster/nodes/a')).body,
    ({ state, digest }) => state === 'ready' && digest !== null && digest !== undefined,
    patience,
  );
  await until(
    'the node to answer',
    async () => (await manager.local.get('/v1/cluster/pins')).body,
    ({ complete, items }) => complete === true && items[0]?.path === 'one',
    patience,
  );
  assert.deepEqual(
    node.logs.filter((line) => /does not let this certificate|does not allow this watch/.test(line)),
    [],
  );
});

test('who is removed may do nothing from the next request on; names that are none are refused', async () => {
  const { pairs, roles } = await opening;
  await using store = await storeOf(pairs.ab);
  const own = { put: keys['another’s member'] ?? assert.fail(), value: '{}' };
  assert.equal(await may(store.txn({ conditions: [], changes: [own] })), 'yes');
  assert.equal(roles('remove', 'ab'), 'ab may do nothing\n');
  assert.equal(await may(store.txn({ conditions: [], changes: [own] })), 'forbidden');
  for (const words of [
    [],
    ['node'],
    ['node', '../a'],
    ['node', 'root'],
    ['node', ''],
    ['enable', 'x'],
    ['x'],
  ]) {
    const { status, stderr } = spawnSync(script, words, { encoding: 'utf8' });
    assert.equal(status, 2, words.join(' '));
    assert.match(stderr, /^roles\.sh: .+\n$/);
  }
});
