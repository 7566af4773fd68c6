import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { openEtcdStore } from '../../src/cluster/etcd/etcd-store.ts';
import { Mirror } from '../../src/cluster/mirror.ts';
import { clusterKey, clusterPrefix, parseClusterName } from '../../src/model/cluster/key.ts';
import { createLog } from '../../src/model/log.ts';
import { startEtcd } from '../support/etcd.ts';
import { realClock } from '../support/observed.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

const log = createLog({ level: 'error', write: () => undefined, now: () => new Date() });
const patience = { timeoutMs: 60_000, everyMs: 50 };

test('after etcd was restored from an older backup, or compacted, a mirror shows what is there', async () => {
  using dir = tempDir('restore');
  using etcd = await startEtcd();
  const store = openEtcdStore({ urls: etcd.urls, tls: { ca: undefined, cert: undefined, key: undefined } });
  const mirror = new Mirror({ store, prefix: clusterPrefix('things'), clock: realClock, log });
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
    etcd.restart(0);
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
