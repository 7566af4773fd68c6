import assert from 'node:assert/strict';
import test from 'node:test';
import { openEtcdStore } from '../../src/cluster/etcd/etcd-store.ts';
import { Mirror } from '../../src/cluster/mirror.ts';
import { type ClusterKey, clusterKey, clusterPrefix, parseClusterName } from '../../src/model/cluster/key.ts';
import { limits } from '../../src/model/limits.ts';
import { createLog } from '../../src/model/log.ts';
import { startEtcd } from '../support/etcd.ts';
import { realClock } from '../support/observed.ts';
import { until } from '../support/until.ts';

const none = { ca: undefined, cert: undefined, key: undefined };
const log = createLog({ level: 'error', write: () => undefined, now: () => new Date() });
const digest = clusterKey('nodes', parseClusterName('edge-1'), 'digest');

test('keys that are none of ours below a prefix keep nobody from reading the others', async () => {
  using etcd = await startEtcd();
  const store = openEtcdStore({ urls: etcd.urls, tls: none });
  const mirror = new Mirror({ store, prefix: clusterPrefix('nodes'), clock: realClock, log });
  try {
    etcd.ctl('put', '/pinfold/v1/nodes/edge-1/', 'before the list');
    await mirror.start();
    assert.equal(mirror.trouble, undefined);
    etcd.ctl('put', '/pinfold/v1/nodes/edge-1//', 'while it is watched');
    etcd.ctl('del', '/pinfold/v1/nodes/edge-1/');
    await store.txn({ conditions: [], changes: [{ put: digest, value: '{}' }] });
    await until('the digest', () => mirror.entries.has(digest));
    assert.deepEqual([...mirror.entries.keys()], [digest]);
    assert.equal(mirror.trouble, undefined);
  } finally {
    await mirror.stop();
    await store.close();
  }
});

test('a fleet of many nodes and sets is read; a node that fills the store takes room from none', async () => {
  using etcd = await startEtcd();
  const store = openEtcdStore({ urls: etcd.urls, tls: none });
  const warnings: string[] = [];
  const telling = createLog({ level: 'warn', write: (line) => warnings.push(line), now: () => new Date() });
  const mirror = new Mirror({ store, prefix: clusterPrefix('nodes'), clock: realClock, log: telling });
  const keysOf = (node: string, count: number) =>
    Array.from({ length: count }, (_, set) =>
      clusterKey('nodes', parseClusterName(node), 'status', parseClusterName(`set-${set}`)),
    );
  const put = async (keys: readonly ClusterKey[]): Promise<void> => {
    const parts = Array.from({ length: Math.ceil(keys.length / limits.clusterTxnOperationsMax) }, (_, part) =>
      keys.slice(part * limits.clusterTxnOperationsMax, (part + 1) * limits.clusterTxnOperationsMax),
    ).values();
    const work = async (): Promise<void> => {
      for (const part of parts)
        await store.txn({ conditions: [], changes: part.map((key) => ({ put: key, value: '{}' })) });
    };
    await Promise.all(Array.from({ length: 8 }, work));
  };
  const countOf = (node: string): number =>
    [...mirror.entries.keys()].filter((key) => key.startsWith(clusterPrefix('nodes', parseClusterName(node))))
      .length;
  try {
    const most = limits.clusterKeysOfNodeMax;
    await put(Array.from({ length: 1000 }, (_, node) => keysOf(`edge-${node}`, 22)).flat());
    await put(keysOf('greedy', most + 64));
    await mirror.start();
    assert.equal(mirror.trouble, undefined);
    assert.equal(mirror.entries.size, 22_000 + most);
    await put(keysOf('greedier', most + 64));
    await put([clusterKey('nodes', parseClusterName('last'), 'digest')]);
    await until('the last', () => countOf('last') === 1);
    assert.equal(countOf('greedier'), most);
    const told = warnings.map((line) => /nodes\/\w+/.exec(line)?.[0]);
    assert.deepEqual(told, ['nodes/greedy', 'nodes/greedier']);
  } finally {
    await mirror.stop();
    await store.close();
  }
});
