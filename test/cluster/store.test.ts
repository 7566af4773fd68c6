import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { openEtcdStore } from '../../src/cluster/etcd/etcd-store.ts';
import { type ClusterKey, clusterKey, clusterPrefix, parseClusterName } from '../../src/model/cluster/key.ts';
import type { ClusterNews, ClusterStore } from '../../src/model/cluster/store.ts';
import { PinfoldError } from '../../src/model/error.ts';
import { limits } from '../../src/model/limits.ts';
import { startEtcd } from '../support/etcd.ts';
import { realClock } from '../support/observed.ts';
import { openTestStore } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

/** A backend, and how it is told to forget history. */
interface Backend {
  readonly store: ClusterStore;
  compact(revision: number): Promise<void>;
}

let folders = 0;

/** Keys of one test: no other test sees them. */
function place() {
  const folder = `t${++folders}`;
  return {
    prefix: clusterPrefix(folder),
    key: (name: string): ClusterKey => clusterKey(folder, parseClusterName(name)),
  };
}

async function openLocal(): Promise<Backend> {
  const dir = tempDir('cluster-store');
  const disk = openTestStore(dir.path, { clock: realClock });
  const store = disk.openCluster();
  after(() => {
    disk.close();
    dir[Symbol.dispose]();
  });
  return {
    store,
    // History has a length; what is beyond it goes, every hundred revisions.
    compact: async () => {
      const { key } = place();
      const atOnce = limits.clusterTxnOperationsMax;
      for (let at = 0; at < limits.clusterHistoryRows + 101 * atOnce; at += atOnce) {
        const names = Array.from({ length: atOnce }, (_, index) => key(`k${index}`));
        await store.txn({ conditions: [], changes: names.map((put) => ({ put, value: String(at) })) });
      }
    },
  };
}

async function openEtcd(): Promise<Backend> {
  const etcd = await startEtcd();
  after(() => etcd[Symbol.dispose]());
  return {
    store: openEtcdStore({ urls: etcd.urls, tls: { ca: undefined, cert: undefined, key: undefined } }),
    compact: async (revision) => void etcd.ctl('compaction', String(revision)),
  };
}

const backends = [
  { name: 'local', open: openLocal },
  { name: 'etcd', open: openEtcd },
] as const;

for (const { name, open } of backends) {
  describe(`the ${name} store`, () => {
    const opening = open();
    after(async () => await (await opening).store.close());
    const stored = async (): Promise<ClusterStore> => (await opening).store;

    test('gives back what was put, with the revisions of its making and its last change', async () => {
      const store = await stored();
      const { key } = place();
      assert.equal((await store.get(key('a'))).value, undefined);
      const first = await store.txn({ conditions: [], changes: [{ put: key('a'), value: '{"x":"ü"}' }] });
      const second = await store.txn({ conditions: [], changes: [{ put: key('a'), value: '2' }] });
      assert.ok(second.revision > first.revision, 'revisions grow');
      const { value, revision } = await store.get(key('a'));
      assert.deepEqual(value, {
        key: key('a'),
        value: '2',
        createRevision: first.revision,
        modRevision: second.revision,
      });
      assert.ok(revision >= second.revision);
    });

    test('lists a prefix in order, whole names only, and thousands of keys as of one revision', async () => {
      const store = await stored();
      const { prefix, key } = place();
      const other = clusterKey(`${prefix.split('/')[3] ?? ''}x`, parseClusterName('a'));
      const names = Array.from({ length: 2345 }, (_, index) => `n${String(index).padStart(5, '0')}`);
      for (let at = 0; at < names.length; at += limits.clusterTxnOperationsMax) {
        const part = names.slice(at, at + limits.clusterTxnOperationsMax);
        await store.txn({ conditions: [], changes: part.map((each) => ({ put: key(each), value: each })) });
      }
      const { revision } = await store.txn({ conditions: [], changes: [{ put: other, value: 'no' }] });
      const listed = await store.list(prefix);
      assert.deepEqual(
        listed.value.map(({ value }) => value),
        names,
      );
      assert.ok(listed.revision >= revision);
    });

    test('carries out a transaction only if every condition holds, and then all of it', async () => {
      const store = await stored();
      const { prefix, key } = place();
      const absent = { key: key('a'), modRevision: 0 };
      const made = await store.txn({ conditions: [absent], changes: [{ put: key('a'), value: '1' }] });
      assert.equal(made.succeeded, true);
      const again = await store.txn({
        conditions: [absent],
        changes: [
          { put: key('a'), value: '2' },
          { put: key('b'), value: '2' },
        ],
      });
      assert.deepEqual([again.succeeded, (await store.list(prefix)).value.length], [false, 1]);
      const both = await store.txn({
        conditions: [
          { key: key('a'), modRevision: made.revision },
          { key: key('a'), value: '1' },
          { key: key('b'), modRevision: 0 },
        ],
        changes: [{ delete: key('a') }, { put: key('b'), value: '3' }, { delete: key('never') }],
      });
      assert.equal(both.succeeded, true);
      assert.deepEqual(
        (await store.list(prefix)).value.map(({ value }) => value),
        ['3'],
      );
      const missing = await store.txn({ conditions: [{ key: key('a'), value: '' }], changes: [] });
      assert.equal(missing.succeeded, false, 'a key that is not there has no value, not an empty one');
    });

    test('lets one of many writers win each round, and loses none of their counts', async () => {
      const store = await stored();
      const { key } = place();
      await store.txn({ conditions: [], changes: [{ put: key('count'), value: '0' }] });
      const add = async (): Promise<void> => {
        for (;;) {
          const { value } = await store.get(key('count'));
          const { modRevision = 0, value: text = '' } = value ?? {};
          const changes = [{ put: key('count'), value: String(Number(text) + 1) }];
          const { succeeded } = await store.txn({
            conditions: [{ key: key('count'), modRevision }],
            changes,
          });
          if (succeeded) return;
        }
      };
      await Promise.all(Array.from({ length: 20 }, add));
      assert.equal((await store.get(key('count'))).value?.value, '20');
    });

    test('refuses what is too large, too much or twice the same key, before anything is done', async () => {
      const store = await stored();
      const { prefix, key } = place();
      const put = (name: string, value: string) => ({ put: key(name), value });
      const most = 'x'.repeat(limits.clusterValueBytesMax);
      assert.equal((await store.txn({ conditions: [], changes: [put('a', most)] })).succeeded, true);
      const many = Array.from({ length: limits.clusterTxnOperationsMax + 1 }, (_, at) => put(`k${at}`, ''));
      assert.equal((await store.txn({ conditions: [], changes: many.slice(1) })).succeeded, true);
      const wrong = [[put('b', `${most}x`)], many, [put('b', '1'), { delete: key('b') }]];
      for (const changes of wrong) {
        await assert.rejects(store.txn({ conditions: [], changes }), isCode('invalid_input'));
      }
      await assert.rejects(store.lease(0), isCode('invalid_input'));
      assert.equal((await store.list(prefix)).value.length, limits.clusterTxnOperationsMax + 1);
    });

    test('removes what was put under a lease when nobody renews it, and tells watchers', async () => {
      const store = await stored();
      const { prefix, key } = place();
      const lease = await store.lease(2);
      const kept = await store.lease(30);
      await store.txn({
        conditions: [],
        changes: [
          { put: key('short'), value: '1', lease },
          { put: key('long'), value: '2', lease: kept },
        ],
      });
      await lease.renew();
      using news = follow(store, prefix, (await store.list(prefix)).revision + 1);
      await news.until((events) => events.includes('delete short'));
      assert.equal((await store.get(key('short'))).value, undefined);
      assert.equal((await store.get(key('long'))).value?.value, '2');
      await assert.rejects(lease.renew(), isCode('lease_lost'));
      const late = store.txn({ conditions: [], changes: [{ put: key('late'), value: '', lease }] });
      await assert.rejects(late, isCode('lease_lost'));
      await lease.revoke();
      await kept.revoke();
      assert.deepEqual((await store.list(prefix)).value, []);
    });

    test('tells a watch each change once and in order, from a revision in the past on', async () => {
      const store = await stored();
      const { prefix, key } = place();
      const { revision } = await store.txn({ conditions: [], changes: [{ put: key('a'), value: '0' }] });
      for (let at = 1; at <= 5; at += 1) {
        await store.txn({ conditions: [], changes: [{ put: key('a'), value: String(at) }] });
      }
      using news = follow(store, prefix, revision + 2);
      await news.until((events) => events.length >= 4);
      await store.txn({
        conditions: [],
        changes: [{ put: key('b'), value: '6' }, { delete: key('a') }],
      });
      await news.until((events) => events.length >= 6);
      assert.deepEqual(news.events.slice(0, 4), ['put a 2', 'put a 3', 'put a 4', 'put a 5']);
      assert.deepEqual(news.events.slice(4).sort(), ['delete a', 'put b 6']);
      assert.equal(new Set(news.revisions).size, 5, 'what one transaction did has one revision');
      assert.deepEqual([...news.revisions].sort(), news.revisions, 'revisions grow');
    });

    test('says compacted to a watch from before what it still has, which then lists anew', async () => {
      const { store, compact } = await opening;
      const { prefix, key } = place();
      const { revision } = await store.txn({ conditions: [], changes: [{ put: key('a'), value: '1' }] });
      const second = await store.txn({ conditions: [], changes: [{ put: key('a'), value: '2' }] });
      await compact(second.revision);
      using news = follow(store, prefix, revision);
      const [last] = await news.end();
      assert.equal(last?.type, 'compacted');
      assert.deepEqual(news.events, []);
      const listed = await store.list(prefix);
      assert.equal(listed.value[0]?.value, '2');
      using anew = follow(store, prefix, listed.revision + 1);
      await store.txn({ conditions: [], changes: [{ put: key('a'), value: '3' }] });
      await anew.until((events) => events.length === 1);
      assert.deepEqual(anew.events, ['put a 3']);
    });

    test('ends a watch with its signal', async () => {
      const store = await stored();
      const { prefix } = place();
      const stopping = new AbortController();
      const watching = collect(store.watch(prefix, (await store.list(prefix)).revision + 1, stopping.signal));
      stopping.abort();
      assert.deepEqual(
        (await watching).filter(({ type }) => type === 'events'),
        [],
      );
    });
  });
}

/** What a watch told so far. */
interface Followed extends Disposable {
  readonly events: string[];
  readonly revisions: number[];
  until(isDone: (events: readonly string[]) => boolean): Promise<void>;
  /** Waits for its end, and gives what it told, last first. */
  end(): Promise<readonly ClusterNews[]>;
}

function follow(store: ClusterStore, prefix: ReturnType<typeof clusterPrefix>, from: number): Followed {
  const stopping = new AbortController();
  const events: string[] = [];
  const revisions: number[] = [];
  const told: ClusterNews[] = [];
  const short = (key: string): string => key.slice(prefix.length);
  const running = (async () => {
    for await (const news of store.watch(prefix, from, stopping.signal)) {
      told.unshift(news);
      if (news.type !== 'events') continue;
      for (const event of news.events) {
        const isPut = event.type === 'put';
        revisions.push(isPut ? event.entry.modRevision : event.modRevision);
        events.push(
          isPut ? `put ${short(event.entry.key)} ${event.entry.value}` : `delete ${short(event.key)}`,
        );
      }
    }
  })();
  running.catch(() => undefined);
  return {
    events,
    revisions,
    until: async (isDone) => {
      await until('what a watch tells', () => [...events], isDone, { timeoutMs: 60_000 });
    },
    end: async () => {
      await until(
        'the end of a watch',
        () => told[0]?.type,
        (type) => type === 'compacted',
      );
      await running;
      return told;
    },
    [Symbol.dispose]: () => stopping.abort(),
  };
}

async function collect(news: AsyncIterable<ClusterNews>): Promise<readonly ClusterNews[]> {
  const all: ClusterNews[] = [];
  for await (const one of news) all.push(one);
  return all;
}

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof PinfoldError && error.code === code;
}
