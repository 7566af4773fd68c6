import assert from 'node:assert/strict';
import test from 'node:test';
import { openEtcdStore } from '../../src/cluster/etcd/etcd-store.ts';
import { Mirror } from '../../src/cluster/mirror.ts';
import { clusterKey, clusterPrefix, parseClusterName } from '../../src/model/cluster/key.ts';
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
