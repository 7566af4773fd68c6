import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { openEtcdStore } from '../../src/cluster/etcd/etcd-store.ts';
import { Mirror } from '../../src/cluster/mirror.ts';
import { clusterKey, clusterPrefix, parseClusterName } from '../../src/model/cluster/key.ts';
import { createLog } from '../../src/model/log.ts';
import { startEtcd } from '../support/etcd.ts';
import { realClock } from '../support/observed.ts';
import { startSlowProxy } from '../support/slow-proxy.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

const log = createLog({ level: 'error', write: () => undefined, now: () => new Date() });
const patience = { timeoutMs: 60_000, everyMs: 50 };

test('after etcd was restored from an older backup, or compacted, a mirror shows what is there', async () => {
  using dir = tempDir('restore');
  using etcd = await startEtcd();
  const store = openEtcdStore({ urls: etcd.urls, tls: { ca: undefined, cert: undefined, key: undefined } });
  let heard = 0;
  const onHeard = (): void => {
    heard += 1;
  };
  const mirror = new Mirror({ store, prefix: clusterPrefix('things'), clock: realClock, log, onHeard });
  const put = async (name: string, value: string): Promise<void> => {
    const key = clusterKey('things', parseClusterName(name));
    await store.txn({ conditions: [], changes: [{ put: key, value }] });
  };
  const shown = (): string =>
    [...mirror.entries.values()].map(({ key, value }) => `${key.slice(-1)}${value}`).join(' ');
  const untilShown = async (what: string): Promise<void> =>
    void (await until('what the mirror shows', shown, (seen) => seen === what, patience));
  try {
    await put('a', '1');
    await mirror.start();
    assert.equal(shown(), 'a1');
    const saved = join(dir.path, 'backup');
    etcd.save(saved);
    await put('a', '2');
    await put('b', '1');
    await untilShown('a2 b1');

    await etcd.restore(saved);
    await untilShown('a1');
    await put('c', '1');
    await untilShown('a1 c1');

    etcd.members[0]?.kill();
    await etcd.members[0]?.exit();
    const heardBefore = heard;
    etcd.restart(0);
    const told = (count: number): boolean => count > heardBefore;
    await until('it to be told that the store is heard, though nothing differs', () => heard, told, patience);
    await until(
      'etcd',
      () => store.list(clusterPrefix('things')),
      ({ value }) => value.length === 2,
      patience,
    );
    for (let count = 2; count <= 9; count += 1) await put('a', String(count));
    etcd.ctl('compaction', String((await store.list(clusterPrefix('things'))).revision));
    await untilShown('a9 c1');
    await put('d', '1');
    await untilShown('a9 c1 d1');
    assert.equal(mirror.trouble, undefined);
  } finally {
    await mirror.stop();
    await store.close();
  }
});

test('a restored store of the same id that has gone further is not taken for the old one', async () => {
  using dir = tempDir('restore-same');
  using etcd = await startEtcd();
  await using way = await startSlowProxy(etcd.urls[0] ?? '', 0);
  const store = openEtcdStore({ urls: [way.url], tls: { ca: undefined, cert: undefined, key: undefined } });
  const watched = ['changed', 'listed', 'gone'];
  const mirrors = watched.map(
    (folder) => new Mirror({ store, prefix: clusterPrefix(folder), clock: realClock, log }),
  );
  const shown = (): string =>
    mirrors
      .flatMap(({ entries }) => [...entries.values()].map(({ key, value }) => key.slice(12) + value))
      .join(' ');
  const untilShown = async (what: string): Promise<void> =>
    void (await until('what the mirrors show', shown, (seen) => seen === what, patience));
  const put = (key: string, value: string): void => void etcd.ctl('put', `/pinfold/v1/${key}`, value);
  const remove = (key: string): void => void etcd.ctl('del', `/pinfold/v1/${key}`);
  const clusterId = (): string => /"cluster_id":(\d+)/.exec(etcd.ctl('get', 'x', '-w', 'json'))?.[1] ?? '';
  try {
    for (const folder of watched) put(`${folder}/a`, '1');
    const saved = join(dir.path, 'backup');
    etcd.save(saved);
    const before = clusterId();
    put('listed/a', '2');
    for (const mirror of mirrors) await mirror.start();
    put('changed/a', '2');
    remove('gone/a');
    await untilShown('changed/a2 listed/a2');

    way.cut(true);
    await etcd.restore(saved, 'the cluster id');
    assert.equal(clusterId(), before, 'the id of the cluster says nothing');
    for (let count = 0; count < 5; count += 1) put('elsewhere/a', String(count));
    way.cut(false);
    await untilShown('changed/a1 listed/a1 gone/a1');
    put('changed/b', '1');
    await untilShown('changed/a1 changed/b1 listed/a1 gone/a1');
  } finally {
    await Promise.all(mirrors.map(async (mirror) => await mirror.stop()));
    await store.close();
  }
});
