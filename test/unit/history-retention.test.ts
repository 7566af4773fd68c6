import assert from 'node:assert/strict';
import test from 'node:test';
import { limits } from '../../src/model/limits.ts';
import type { Store } from '../../src/model/store.ts';
import { verifyHistory } from '../../src/store/verify-history.ts';
import { databaseOf, eventOf, openTestStore, sqlite3, type TestClock, testClock } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';

const dayMs = 24 * 3600 * 1000;

/** A store over its own clock, opened again as often as the body likes. */
function withClock(body: (open: (boot?: string) => Store, clock: TestClock, dir: string) => void): void {
  using dir = tempDir('history-retention');
  const clock = testClock();
  let store: Store | undefined;
  const open = (bootId = 'boot-1'): Store => {
    store?.close();
    store = openTestStore(dir.path, { clock, bootId });
    return store;
  };
  try {
    body(open, clock, dir.path);
    store?.close();
    store = undefined;
    assert.equal(verifyHistory(dir.path).fault, undefined);
  } finally {
    store?.close();
  }
}

function now(clock: TestClock) {
  return eventOf({ time: clock.now().toISOString() });
}

function prune(store: Store): number {
  let rows = 0;
  for (let removed = store.prune(); removed > 0; removed = store.prune()) rows += removed;
  return rows;
}

/** Runs a day with an event each hour. */
function liveADay(store: Store, clock: TestClock): void {
  for (let hour = 0; hour < 24; hour += 1) {
    clock.pass(dayMs / 24);
    store.events.append([now(clock)]);
    prune(store);
  }
}

test('a month of events is kept, and no event goes before it is a month old', () => {
  withClock((open, clock) => {
    const store = open();
    for (let day = 0; day < 40; day += 1) liveADay(store, clock);
    const kept = store.events.list({ limit: 5000 });
    const agesMs = kept.map(({ time }) => clock.now().getTime() - Date.parse(time));
    assert.ok(kept.length === 30 * 24, `${kept.length} events`);
    assert.equal(Math.max(...agesMs), 30 * dayMs - dayMs / 24);
    assert.equal(kept.at(-1)?.seq, 40 * 24);
  });
});

for (const years of [10, -10]) {
  test(`a clock that is ${years} years off for a day has nothing forgotten, then or later`, () => {
    withClock((open, clock) => {
      const store = open();
      for (let day = 0; day < 3; day += 1) liveADay(store, clock);
      store.events.append([
        eventOf({ time: new Date(clock.now().getTime() + years * 365 * dayMs).toISOString() }),
      ]);
      const right = clock.now().getTime();
      clock.set(new Date(right + years * 365 * dayMs).toISOString());
      liveADay(store, clock);
      clock.set(new Date(right + dayMs).toISOString());
      for (let day = 0; day < 20; day += 1) liveADay(store, clock);
      assert.equal(store.events.list({ limit: 1 })[0]?.seq, 1);
      for (let day = 0; day < 12; day += 1) liveADay(store, clock);
      const first = store.events.list({ limit: 1 })[0]?.seq ?? 0;
      assert.ok(first > 5 * 24 && first <= 6 * 24 + 2, `what is older than a month is gone: ${first}`);
    });
  });
}

test('time goes on over restarts of the agent; a reboot counts from boot, whatever the day', () => {
  withClock((open, clock) => {
    let store = open();
    store.events.append([now(clock)]);
    prune(store);
    clock.pass(20 * dayMs);
    store = open();
    clock.pass(9 * dayMs);
    assert.equal(prune(store), 0);
    clock.set('2046-01-01T00:00:00.000Z');
    store = open('boot-2');
    // The clock since boot of the tests goes on; of this boot it says 29 days and a minute.
    assert.equal(prune(store), 1);
    assert.equal(store.events.list({ limit: 1 }).length, 0);
  });
});

test('history takes what it may and no more: the oldest go, in chunks, down to the limit', () => {
  using dir = tempDir('history-size');
  const retentionBytes = 2 * 1024 ** 2;
  const store = openTestStore(dir.path, { retentionBytes });
  const text = 'x'.repeat(3000);
  const append = () => store.events.append([eventOf({ after: { text } })]);
  while (store.events.extent().bytes + 4000 < retentionBytes) append();
  const atLimit = store.events.lastSeq();
  assert.equal(prune(store), 0, 'at the limit nothing goes');
  append();
  append();
  assert.ok(store.events.extent().bytes > retentionBytes);
  const over = store.events.lastSeq() - atLimit;
  const removed = prune(store);
  assert.ok(removed >= 1 && removed <= over, `${removed} of ${over}`);
  assert.ok(store.events.extent().bytes <= retentionBytes);
  for (let index = 0; index < 2000; index += 1) append();
  assert.equal(store.prune(), limits.deleteChunkRows);
  prune(store);
  const { bytes, lastSeq, floor } = store.events.extent();
  assert.ok(bytes <= retentionBytes && bytes > retentionBytes - 4000);
  assert.deepEqual(store.removedEvents(), { age: 0, count: 0, size: floor });
  store.close();
  assert.deepEqual(verifyHistory(dir.path), { verified: lastSeq - floor, unchained: 0 });
});

test('the size that is counted is what rows and indices take, within a third', () => {
  using dir = tempDir('history-dbstat');
  const store = openTestStore(dir.path);
  const subject = { mount: '0:39', path: 'tc/globals/some_map', kind: 'map', id: 5, type: 'hash' };
  const after = { ...subject, mode: '0600', uid: 0, gid: 0, labels: {}, first_seen: '2026', etag: '"x"' };
  store.transaction(() => {
    for (let index = 0; index < 20_000; index += 1) store.events.append([eventOf({ subject, after })]);
  });
  const { bytes } = store.events.extent();
  store.close();
  sqlite3(databaseOf(dir.path), 'PRAGMA wal_checkpoint(TRUNCATE)');
  const file = Number(sqlite3(databaseOf(dir.path), `SELECT length(readfile('${databaseOf(dir.path)}'))`));
  assert.ok(bytes > file * 0.67 && bytes < file * 1.5, `${bytes} counted, ${file} in the file`);
});
