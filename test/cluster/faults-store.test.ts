import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { openEtcdStore } from '../../src/cluster/etcd/etcd-store.ts';
import { writeClusterKey } from '../../src/cluster/signing/key-file.ts';
import { clusterKey } from '../../src/model/cluster/key.ts';
import { testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { fillUp, startEtcd } from '../support/etcd.ts';
import { startSlowProxy } from '../support/slow-proxy.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until, untilPasses } from '../support/until.ts';

const patience = { timeoutMs: 90_000, everyMs: 100 };

test('an etcd that is full keeps nobody from working, and takes all back when it has room', async () => {
  using dir = tempDir('full');
  using etcd = await startEtcd(1, ['--quota-backend-bytes', String(2 * 1024 * 1024)]);
  const key = join(dir.path, 'key');
  writeClusterKey(key);
  const settings = { node: 'a', etcd: etcd.urls, 'cluster-key': key, manager: true };
  await using a = await testAgent({ settings });
  // A manager that has just begun may not know its own node yet.
  const about = async () => (await a.local.get('/v1/cluster/nodes/a')).body;
  const before = await until(
    'a digest',
    about,
    ({ state, digest }) => state === 'ready' && digest !== null,
    patience,
  );

  const makeRoom = await fillUp(etcd);
  assert.match(etcd.ctl('alarm', 'list'), /NOSPACE/);

  createMap(`${a.bpffs.path}/meanwhile`, { name: 'pf_full' });
  await a.local.get('/v1/pins?fresh=true').expect(200);
  await a.local.get('/v1/pins/meanwhile').expect(200);
  const refused = await a.local
    .put('/v1/cluster/pinsets/late')
    .send({ all: true, absent: ['nothing'] })
    .expect(503);
  assert.equal(refused.body.code, 'cluster_unavailable');
  assert.match(refused.body.detail, /etcd is full: compact, defragment, disarm/);
  const { body: listed } = await a.local.get('/v1/cluster/pins?limit=1000').expect(200);
  assert.ok(listed.items.some(({ path }: { path: string }) => path === 'meanwhile'));
  await until(
    'the log to say why',
    () => a.logs.join('\n'),
    (text) => text.includes('etcd is full'),
    patience,
  );

  makeRoom();
  await untilPasses(async () => {
    const { state, digest } = await about();
    assert.equal(state, 'ready');
    assert.notEqual(digest.hash, before.digest.hash);
  }, patience);
});

test('an etcd that takes its time is waited for: nodes join, tell, and are all listed', async () => {
  using dir = tempDir('slow');
  using etcd = await startEtcd();
  await using proxy = await startSlowProxy(etcd.urls[0] ?? '', 300);
  const key = join(dir.path, 'key');
  writeClusterKey(key);
  const settings = { node: 'a', etcd: [proxy.url], 'cluster-key': key, manager: true };
  await using a = await testAgent({ settings });
  const about = async () => (await a.local.get('/v1/cluster/nodes')).body.items[0];
  const before = await until(
    'a digest',
    about,
    (node) => node?.state === 'ready' && node.digest !== null,
    patience,
  );
  createMap(`${a.bpffs.path}/slowly`, { name: 'pf_slow' });
  await until('the next digest', about, ({ digest }) => digest.hash !== before.digest.hash, patience);
  await untilPasses(async () => {
    const { body } = await a.local.get('/v1/cluster/pins?limit=1000&deadline=30s').expect(200);
    assert.deepEqual([body.complete, body.unreachable], [true, []]);
    assert.equal((await about()).state, 'ready');
  }, patience);
});

test('a connection to etcd that does not come about is given up, and another one made', async () => {
  using etcd = await startEtcd();
  await using way = await startSlowProxy(etcd.urls[0] ?? '', 0);
  const store = openEtcdStore({ urls: [way.url], tls: { ca: undefined, cert: undefined, key: undefined } });
  try {
    way.hush(true);
    await assert.rejects(store.get(clusterKey('manager', 'leader')), /etcd cannot be reached/);
    way.hush(false);
    await untilPasses(async () => {
      const { value } = await store.get(clusterKey('manager', 'leader'));
      assert.equal(value, undefined);
    }, patience);
  } finally {
    await store.close();
  }
});
