import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import test from 'node:test';
import { clusterPrefix } from '../../src/model/cluster/key.ts';
import type { ClusterStore } from '../../src/model/cluster/store.ts';
import { PinfoldError } from '../../src/model/error.ts';
import { limits } from '../../src/model/limits.ts';
import type { DesiredPin, PinSet } from '../../src/model/schema/pinset.ts';
import { createMap, isAlive, lookupEntry, pinnedMap, updateEntry } from '../support/bpftool.ts';
import { realClock } from '../support/observed.ts';
import { nodeName, type PinSetNode, pinSetNode, putDesired } from '../support/pinset-node.ts';
import { openTestStore } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';
import { untilPasses } from '../support/until.ts';

const patience = { timeoutMs: 60_000, everyMs: 50 };
const map = { type: 'lpm_trie', key_size: 8, value_size: 4, max_entries: 100, flags: ['no_prealloc'] };
const acl: DesiredPin = { path: 'tc/globals/acl', map };
const edge: PinSet = { selector: { role: 'edge' } };
const aKey = Buffer.from([32, 0, 0, 0, 10, 0, 0, 1]);
const aValue = Buffer.from([1, 2, 3, 4]);

/** The events of a node's own bpffs of one type, as who did what where. */
function told(node: PinSetNode, type: string): readonly string[] {
  const mount = node.at.agent.reads.mounts().value.find(({ primary }) => primary)?.id ?? '';
  const events = node.at.eventsOf(mount).filter((event) => event.type === type);
  return events.map(({ actor, subject }) => `${actor} ${subject.path}`);
}

test('a map that is wanted appears with entries and attributes, and history says who made it', async () => {
  await using node = await pinSetNode();
  const labels = { team: 'net' };
  const entries = [{ key: '200000000a000001', value: '01020304' }];
  const wanted = { mode: '0640', gid: 7, labels, owner: 'acl', entries };
  await node.put('edge-acl', 1, { ...edge, pins: [{ ...acl, map: { ...map, format: 'raw' }, ...wanted }] });
  const said = await node.untilState('edge-acl', 1, 'ok');
  assert.deepEqual([said.generation, said.seen, said.drifts], [1, 1, []]);
  const made = pinnedMap(node.path(acl.path));
  assert.deepEqual([made.type, made.max_entries], ['lpm_trie', 100]);
  assert.deepEqual(lookupEntry(node.path(acl.path), aKey), new Uint8Array(aValue));
  const { mode, gid } = statSync(node.path(acl.path));
  assert.deepEqual([mode & 0o777, gid], [0o640, 7]);
  const { items } = node.at.agent.reads.pins({ mount: undefined }, { after: undefined, limit: 10 }).value;
  assert.deepEqual([items[0]?.labels, items[0]?.owner], [labels, 'acl']);
  assert.deepEqual(told(node, 'pin.created'), [`pinset:edge-acl@1 ${acl.path}`]);
  assert.deepEqual(node.own.get('edge-acl').made, [acl.path]);
});

test('what somebody changes by hand is put right: permissions, and a map that has vanished', async () => {
  await using node = await pinSetNode();
  const path = node.path(acl.path);
  await node.put('edge-acl', 1, { ...edge, pins: [{ ...acl, mode: '0640' }] });
  await node.untilState('edge-acl', 1, 'ok');
  const { id } = pinnedMap(path);
  chmodSync(path, 0o600);
  await untilPasses(() => assert.equal(statSync(path).mode & 0o777, 0o640), patience);
  assert.equal(pinnedMap(path).id, id);
  rmSync(path);
  await untilPasses(() => assert.equal(existsSync(path), true), patience);
  assert.notEqual(pinnedMap(path).id, id);
  await node.untilState('edge-acl', 1, 'ok');
});

test('a node where the fleet may only look says what it would do, and does none of it', async () => {
  await using node = await pinSetNode({ roleMax: 'reader' });
  await node.put('edge-acl', 1, { ...edge, pins: [acl] });
  const { drifts } = await node.untilState('edge-acl', 1, 'drifted');
  const would = { code: 'fleet_role', expected: 'make_map', actual: 'reader' };
  assert.deepEqual(drifts, [{ path: acl.path, ...would }]);
  // The kernel itself puts two names into what it mounts, where its module for that is loaded.
  const names = readdirSync(node.bpffs.path).filter((name) => !name.endsWith('.debug'));
  assert.deepEqual(names, []);
});

test('another map is drift unless the set says what to do; replace makes one in its place', async () => {
  await using node = await pinSetNode();
  const path = node.path('one');
  const { id } = createMap(path, { type: 'hash', key: 4, value: 4, entries: 7, name: 'pf_other' });
  updateEntry(path, Buffer.alloc(4), aValue);
  const hash = { type: 'hash', key_size: 4, value_size: 4, max_entries: 9 };
  const wanted = (more: Partial<PinSet>): PinSet => ({
    ...edge,
    pins: [{ path: 'one', map: hash }],
    ...more,
  });
  await node.put('set', 1, wanted({}));
  const { drifts } = await node.untilState('set', 1, 'drifted');
  assert.deepEqual(drifts, [{ path: 'one', code: 'max_entries', expected: '9', actual: '7' }]);
  assert.equal(pinnedMap(path).id, id);
  assert.deepEqual(node.own.get('set').made, []);
  await node.put('set', 2, wanted({ on_schema_change: 'replace' }));
  await node.untilState('set', 2, 'ok');
  assert.equal(pinnedMap(path).max_entries, 9);
  assert.equal(lookupEntry(path, Buffer.alloc(4)), undefined);
  assert.deepEqual(told(node, 'pin.replaced'), ['pinset:set@2 one']);
});

test('a protected map outlives its name, and gets it back with what is in it', async () => {
  let node = await pinSetNode();
  try {
    const path = node.path(acl.path);
    await node.put('edge-acl', 1, { ...edge, pins: [{ ...acl, protect: true, mode: '0640' }] });
    await node.untilState('edge-acl', 1, 'ok');
    const { id } = pinnedMap(path);
    updateEntry(path, aKey, aValue);
    const assertThere = async (): Promise<void> => {
      await untilPasses(() => assert.equal(existsSync(path), true), patience);
      assert.equal(pinnedMap(path).id, id);
      assert.deepEqual(lookupEntry(path, aKey), new Uint8Array(aValue));
      await untilPasses(() => assert.equal(statSync(path).mode & 0o777, 0o640), patience);
    };
    rmSync(path);
    await assertThere();
    assert.deepEqual(node.own.get('edge-acl').made, [acl.path]);
    node = await node.restart();
    await assertThere();
    rmSync(node.path('tc'), { recursive: true });
    await assertThere();
    assert.equal(readdirSync(node.path('pinfold-staging')).length, 1);
    rmSync(path);
    createMap(path, { type: 'lpm_trie', key: 8, value: 4, entries: 100, flags: 1 });
    const { drifts } = await node.untilState('edge-acl', 1, 'drifted');
    assert.deepEqual(
      drifts.map(({ code }) => code),
      ['mode', 'other_map'],
    );
    assert.ok(isAlive('map', id));
  } finally {
    await node[Symbol.asyncDispose]();
  }
});

/** A store that behaves as `refuse` says: what it throws is what the node is told. */
function refusing(
  inner: ClusterStore,
  refuse: { readonly onStatus: () => void; readonly onOwnList?: () => void },
): ClusterStore {
  return {
    get: async (key) => await inner.get(key),
    list: async (prefix) => {
      if (prefix.includes(nodeName)) refuse.onOwnList?.();
      return await inner.list(prefix);
    },
    lease: async (seconds) => await inner.lease(seconds),
    watch: (prefix, from, signal) => inner.watch(prefix, from, signal),
    close: async () => await inner.close(),
    txn: async (wanted) => {
      if (wanted.changes.some((change) => 'put' in change && /\/status\//.test(change.put)))
        refuse.onStatus();
      return await inner.txn(wanted);
    },
  };
}

test('a node that may not write what it came to says so once, and is heard when it may', async () => {
  using dir = tempDir('refusing');
  const disk = openTestStore(dir.path, { clock: realClock });
  const inner = disk.openCluster();
  let isRefusing = true;
  const onStatus = (): void => {
    if (isRefusing) throw new PinfoldError('forbidden', { detail: 'etcd says no.' });
  };
  const cluster = refusing(inner, { onStatus });
  try {
    await using node = await pinSetNode({ cluster });
    await node.put('one', 1, { ...edge, pins: [acl] });
    await untilPasses(() => assert.equal(existsSync(node.path(acl.path)), true), patience);
    await untilPasses(() => assert.equal(node.own.trouble, 'etcd says no.'), patience);
    await node.put('two', 1, { ...edge, pins: [{ ...acl, path: 'two' }] });
    await untilPasses(() => assert.equal(existsSync(node.path('two')), true), patience);
    assert.equal(node.logs.filter((line) => /etcd says no/.test(line)).length, 1);
    isRefusing = false;
    node.reconciler.wake();
    await node.untilState('two', 1, 'ok');
    await untilPasses(() => assert.equal(node.own.trouble, undefined), patience);
  } finally {
    await inner.close();
    disk.close();
  }
});

test('what a node could not say is said when the store is back, before its turn comes round', async (t) => {
  const { setTimeout: real } = globalThis;
  const never = 100 * limits.pinSetEveryMs;
  t.mock.method(globalThis, 'setTimeout', (run: () => void, ms?: number) =>
    real(run, ms === limits.pinSetEveryMs ? never : ms),
  );
  using dir = tempDir('away');
  const disk = openTestStore(dir.path, { clock: realClock });
  const inner = disk.openCluster();
  const away = new PinfoldError('cluster_unavailable', { detail: 'etcd is away.' });
  let isAway = true;
  let refusals = 0;
  const cluster = refusing(inner, {
    onOwnList: () => {
      if (isAway) throw away;
    },
    onStatus: () => {
      refusals -= 1;
      if (refusals >= 0) throw away;
    },
  });
  try {
    await using node = await pinSetNode({ cluster });
    await node.put('one', 1, { ...edge, pins: [acl] });
    await untilPasses(() => assert.equal(node.own.get('one').status.state, 'ok'), patience);
    assert.equal(await node.status('one'), undefined);
    isAway = false;
    await node.untilState('one', 1, 'ok');
    // As many as the two that waking for the wish and its rollout come to, and one more.
    refusals = 3;
    await node.put('two', 1, { ...edge, pins: [{ ...acl, path: 'two' }] });
    await node.untilState('two', 1, 'ok');
  } finally {
    await inner.close();
    disk.close();
  }
});

test('what is held aside is known again when a bpffs that was mounted over it is gone', async () => {
  await using node = await pinSetNode();
  const protectedPin = { ...acl, protect: true };
  await node.put('one', 1, { ...edge, pins: [protectedPin] });
  await node.put('two', 1, { ...edge, pins: [{ ...protectedPin, path: 'two' }] });
  await node.untilState('two', 1, 'ok');
  await node.untilState('one', 1, 'ok');
  const [one, two] = [acl.path, 'two'].map((path) => pinnedMap(node.path(path)).id);
  execFileSync('mount', ['-t', 'bpf', 'bpf', node.bpffs.path]);
  try {
    await node.put('one', 2, { ...edge, pins: [{ ...protectedPin, mode: '0640' }] });
    await node.untilState('one', 2, 'ok');
    assert.notEqual(pinnedMap(node.path(acl.path)).id, one, 'the other instance has its own');
    await node.put('two', 2, {}, { deleted: true });
    await untilPasses(async () => assert.equal(await node.status('two'), undefined), patience);
  } finally {
    execFileSync('umount', [node.bpffs.path]);
  }
  assert.equal(readdirSync(node.path('pinfold-staging')).length, 2);
  rmSync(node.path(acl.path));
  node.reconciler.wake();
  await untilPasses(() => assert.equal(pinnedMap(node.path(acl.path)).id, one), patience);
  await untilPasses(() => assert.equal(readdirSync(node.path('pinfold-staging')).length, 1), patience);
  assert.equal(pinnedMap(node.path('two')).id, two);
});

test('a node goes forward only, and keeps to what it has whatever the store has lost', async () => {
  await using node = await pinSetNode();
  await node.put('set', 5, { ...edge, pins: [{ ...acl, mode: '0640' }] });
  await node.untilState('set', 5, 'ok');
  await node.put('set', 4, { ...edge, absent: [acl.path] });
  await untilPasses(async () => {
    const said = await node.status('set');
    assert.deepEqual([said?.generation, said?.state, said?.ahead_of_store], [5, 'ok', true]);
  }, patience);
  const { value } = await node.cluster.list(clusterPrefix('desired'));
  await node.cluster.txn({ conditions: [], changes: value.map(({ key }) => ({ delete: key })) });
  await untilPasses(() => assert.equal(node.reconciler.statuses.get('set')?.ahead_of_store, true), patience);
  rmSync(node.path(acl.path));
  await untilPasses(() => assert.equal(existsSync(node.path(acl.path)), true), patience);
  await node.put('set', 6, { ...edge, pins: [{ ...acl, mode: '0600' }] });
  const said = await node.untilState('set', 6, 'ok');
  assert.equal(said.ahead_of_store, undefined);
});

test('a node waits until the rollout names it, and says again what the store has lost', async () => {
  await using node = await pinSetNode();
  const wish = { generation: 1, spec: { ...edge, pins: [acl] } };
  await putDesired(node.cluster, 'set', wish, { state: 'progressing', open: ['edge-2'] });
  await node.put('other', 1, { ...edge, pins: [{ path: 'other', map }] });
  await node.untilState('other', 1, 'ok');
  assert.equal(existsSync(node.path(acl.path)), false);
  await putDesired(node.cluster, 'set', wish, { state: 'paused', open: [nodeName] });
  await node.untilState('set', 1, 'ok');
  const { value } = await node.cluster.list(clusterPrefix('nodes'));
  await node.cluster.txn({ conditions: [], changes: value.map(({ key }) => ({ delete: key })) });
  await node.untilState('set', 1, 'ok');
});
