import assert from 'node:assert/strict';
import test from 'node:test';
import { limits } from '../../src/model/limits.ts';
import type { ObjectRecord, SpecificationRecord } from '../../src/model/store.ts';
import { databaseOf, openTestStore, sqlite3, testBoot, testClock } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';

const at = '2026-11-23T10:00:00.000Z';
const later = '2027-06-01T10:00:00.000Z';

function objectOf(id: number, fingerprint = `f${id}`): ObjectRecord {
  const info = {
    kind: 'map' as const,
    id,
    type: 'hash',
    name: `map_${id}`,
    key_size: 4,
    value_size: 8,
    max_entries: 1,
    map_flags: 0,
    flags: [],
  };
  return { bootId: testBoot, kind: 'map', id, fingerprint, info, firstSeen: at, lastSeen: at, goneAt: null };
}

function specificationOf(id: number, parts: SpecificationRecord['parts'] = {}): SpecificationRecord {
  const identity = { bootId: testBoot, kind: 'map' as const, id, fingerprint: `f${id}` };
  return { ...identity, recordedAt: at, document: { type: 'hash', id }, parts };
}

test('bytes that many objects share are stored once, and go with the last of them', () => {
  using dir = tempDir('specifications');
  const clock = testClock(at);
  const store = openTestStore(dir.path, { clock });
  const btf = Buffer.alloc(100_000, 7);
  store.objects.put([1, 2, 3].map((id) => objectOf(id)));
  assert.equal(store.specifications.put([1, 2, 3].map((id) => specificationOf(id, { btf }))), 0);
  assert.deepEqual(store.specifications.find('map', 2)?.specification?.parts['btf'], btf);
  const count = () => sqlite3(databaseOf(dir.path), 'SELECT count(*) FROM specification_bytes');
  assert.equal(count(), '1');
  store.objects.markGone([objectOf(1), objectOf(2)], at);
  clock.pass(1000);
  assert.equal(store.prune(), 0);
  clock.pass(31 * 24 * 3600 * 1000);
  while (store.prune() > 0);
  assert.equal(count(), '1');
  assert.equal(store.specifications.find('map', 1), undefined);
  store.objects.markGone([objectOf(3)], at);
  while (store.prune() > 0);
  assert.equal(count(), '0');
  assert.equal(sqlite3(databaseOf(dir.path), 'SELECT count(*) FROM specification'), '0');
  assert.equal(sqlite3(databaseOf(dir.path), 'PRAGMA foreign_key_check'), '');
  store.close();
});

test('of an id that several objects had the present one is found, then the one that went last', () => {
  using dir = tempDir('specifications');
  const store = openTestStore(dir.path);
  store.objects.put([objectOf(5, 'old')]);
  store.specifications.put([{ ...specificationOf(5), fingerprint: 'old', document: { which: 'old' } }]);
  store.objects.put([objectOf(5, 'new')]);
  assert.deepEqual(
    store.specifications.listMissing(testBoot).map(({ fingerprint }) => fingerprint),
    ['new'],
  );
  assert.equal(store.specifications.find('map', 5)?.specification, undefined, 'it is not stored yet');
  store.specifications.put([{ ...specificationOf(5), fingerprint: 'new', document: { which: 'new' } }]);
  assert.deepEqual(store.specifications.find('map', 5)?.specification?.document, { which: 'new' });
  assert.deepEqual(store.specifications.find('map', 5, 'old')?.specification?.document, { which: 'old' });
  assert.equal(store.specifications.find('program', 5), undefined);
  store.objects.markGone([objectOf(5, 'new')], later);
  assert.deepEqual(store.specifications.find('map', 5)?.specification?.document, { which: 'new' });
  assert.equal(store.specifications.count({ id: 5, state: 'gone' }), 2);
  assert.equal(store.specifications.count({ id: 5, state: 'present' }), 0);
  assert.deepEqual(store.specifications.listMissing(testBoot), []);
  store.close();
});

test('bytes for which there is no room are left out, and the rest is stored', () => {
  using dir = tempDir('specifications');
  const store = openTestStore(dir.path);
  const part = limits.specificationPartBytesMax;
  const fitting = limits.specificationBytesMax / part;
  const ids = Array.from({ length: fitting + 1 }, (_, index) => index + 1);
  store.objects.put(ids.map((id) => objectOf(id)));
  const leftOut = ids.map((id) => {
    const btf = Buffer.alloc(part);
    btf.writeUInt32LE(id);
    return store.specifications.put([specificationOf(id, { btf })]);
  });
  assert.deepEqual(leftOut, [...Array.from({ length: fitting }, () => 0), 1]);
  const last = store.specifications.find('map', fitting + 1)?.specification;
  assert.deepEqual(last?.document, { type: 'hash', id: fitting + 1 });
  assert.deepEqual(last?.parts, {});
  store.close();
});

test('a list is told page by page, newest first, each with where it was pinned', () => {
  using dir = tempDir('specifications');
  const store = openTestStore(dir.path);
  const ids = Array.from({ length: 25 }, (_, index) => index + 1);
  store.objects.put(ids.map((id) => objectOf(id)));
  store.specifications.put(ids.map((id) => specificationOf(id)));
  const seen: number[] = [];
  let before: number | undefined;
  do {
    const page = store.specifications.list({ limit: 10, ...(before === undefined ? {} : { before }) });
    seen.push(...page.map(({ object }) => object.id));
    before = page.at(-1)?.seq;
  } while (before !== undefined);
  assert.deepEqual(seen, [...ids].reverse());
  assert.equal(store.specifications.count({ name: 'map_7' }), 1);
  store.close();
});
