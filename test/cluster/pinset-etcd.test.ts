import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import test from 'node:test';
import { openEtcdStore } from '../../src/cluster/etcd/etcd-store.ts';
import type { PinSet } from '../../src/model/schema/pinset.ts';
import { pinnedMap } from '../support/bpftool.ts';
import { startEtcd } from '../support/etcd.ts';
import { pinSetNode } from '../support/pinset-node.ts';
import { untilPasses } from '../support/until.ts';

const patience = { timeoutMs: 120_000, everyMs: 100 };

/** A map of so many entries that outlives its name. */
function setOf(max_entries: number): PinSet {
  const map = { type: 'hash', key_size: 4, value_size: 4, max_entries };
  return { all: true, pins: [{ path: 'kept', map, protect: true }], on_schema_change: 'copy' };
}

test('a node hears etcd, goes on without it, and comes to what is wanted when it is back', async () => {
  using etcd = await startEtcd();
  const cluster = openEtcdStore({ urls: etcd.urls, tls: { ca: undefined, cert: undefined, key: undefined } });
  try {
    await using node = await pinSetNode({ cluster });
    const path = node.path('kept');
    await node.put('set', 1, setOf(8));
    await node.untilState('set', 1, 'ok');
    const { id } = pinnedMap(path);
    etcd.members[0]?.kill();
    await etcd.members[0]?.exit();
    rmSync(path);
    await untilPasses(() => assert.equal(existsSync(path), true), patience);
    assert.equal(pinnedMap(path).id, id);
    etcd.restart(0);
    await untilPasses(async () => await node.put('set', 2, setOf(16)), patience);
    await node.untilState('set', 2, 'ok');
    assert.equal(pinnedMap(path).max_entries, 16);
  } finally {
    await cluster.close();
  }
});

test('an agent that starts without its store keeps to what it has applied', async () => {
  using etcd = await startEtcd();
  const cluster = openEtcdStore({ urls: etcd.urls, tls: { ca: undefined, cert: undefined, key: undefined } });
  let node = await pinSetNode({ cluster });
  try {
    await node.put('set', 1, setOf(8));
    await node.untilState('set', 1, 'ok');
    const { id } = pinnedMap(node.path('kept'));
    etcd.members[0]?.kill();
    await etcd.members[0]?.exit();
    node = await node.restart();
    rmSync(node.path('kept'));
    await untilPasses(() => assert.equal(pinnedMap(node.path('kept')).id, id), patience);
    const { generation, status } = node.own.get('set');
    assert.deepEqual([generation, status.state, status.ahead_of_store], [1, 'ok', undefined]);
  } finally {
    await node[Symbol.asyncDispose]();
    await cluster.close();
  }
});
