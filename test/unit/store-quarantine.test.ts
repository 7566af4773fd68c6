import assert from 'node:assert/strict';
import test from 'node:test';
import type { QuarantineRecord } from '../../src/model/store.ts';
import { forFile } from '../support/disposal.ts';
import { databaseOf, openTestStore, sqlite3Rows, testBoot } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';

const dir = forFile(tempDir('store-quarantine'));
const store = openTestStore(dir.path);
forFile({ [Symbol.dispose]: () => store.close() });
const records = store.quarantine;

function recordOf(id: string, fields: Partial<QuarantineRecord> = {}): QuarantineRecord {
  return {
    id,
    slot: `uuid-${id}`,
    bootId: testBoot,
    instance: `${testBoot}/0:40/1`,
    mount: '0:40',
    path: `leak/${id}`,
    kind: 'map',
    objectId: 7,
    pin: { path: `leak/${id}`, é: 'é' },
    rule: 'orphan_pin',
    why: 'nobody wants it',
    run: 'run-1',
    minAgeMs: 1000,
    quarantinedAt: '2026-11-23T10:00:00.000Z',
    dueBoottimeMs: 5000,
    ...fields,
  };
}

test('what is put is what is found, and what sqlite3 sees; put again it keeps its place', () => {
  const first = recordOf('one', { path: 'leak/\xff\n' });
  records.put(first);
  assert.deepEqual(records.find('one'), first);
  assert.deepEqual(records.findAt('0:40', 'leak/\xff\n'), first);
  assert.equal(records.findAt('0:41', 'leak/\xff\n'), undefined);
  assert.deepEqual(records.ofObject('map', 7), [first]);
  assert.deepEqual(records.ofObject('program', 7), []);
  const [row] = sqlite3Rows(databaseOf(dir.path), 'SELECT seq, hex(path) AS path FROM quarantine');
  assert.deepEqual(row, { seq: 1, path: '6C65616B2FFF0A' });
  const changed = { ...first, dueBoottimeMs: null, why: 'its name is taken', pin: { path: 'other' } };
  records.put(changed);
  assert.deepEqual(records.list({ limit: 10 }), [{ seq: 1, record: changed }]);
  assert.deepEqual([records.remove('one'), records.remove('one')], [true, false]);
  assert.equal(records.find('one'), undefined);
});

test('a list is in the order in which pins came, narrowed by run, mount and whole names of a path', () => {
  const paths = ['a', 'a/b', 'a0', 'ab', 'a/b/c', 'b'];
  for (const [index, path] of paths.entries())
    records.put(recordOf(`l${index}`, { path, run: index % 2 === 0 ? 'even' : null }));
  records.put(recordOf('other', { path: 'a/x', mount: '0:41' }));
  const found = (query: object) =>
    records.list({ mount: '0:40', limit: 10, ...query }).map(({ record }) => record.path);
  assert.deepEqual(found({}), paths);
  assert.deepEqual(found({ path: 'a', within: true }), ['a', 'a/b', 'a/b/c']);
  assert.deepEqual(found({ path: 'a' }), ['a']);
  assert.deepEqual(found({ run: 'even' }), ['a', 'a0', 'a/b/c']);
  assert.equal(records.count({ path: 'a', within: true }), 4);
  const [first] = records.list({ limit: 2 }).slice(-1);
  assert.deepEqual(found({ afterSeq: first?.seq, limit: 2 }), ['a0', 'ab']);
  for (const { record } of records.list({ limit: 100 })) records.remove(record.id);
});

test('due is what has an end on this boot’s clock that is reached, oldest first', () => {
  records.put(recordOf('later', { dueBoottimeMs: 2000 }));
  records.put(recordOf('sooner', { dueBoottimeMs: 1000 }));
  records.put(recordOf('never', { dueBoottimeMs: null }));
  records.put(recordOf('elsewhere', { dueBoottimeMs: 0, bootId: 'another boot' }));
  const due = (ms: number, limit = 10) => records.listDue(testBoot, ms, limit).map(({ id }) => id);
  assert.deepEqual(due(999), []);
  assert.deepEqual(due(1000), ['sooner']);
  assert.deepEqual(due(2000.9), ['sooner', 'later']);
  assert.deepEqual(due(9999, 1), ['sooner']);
  assert.equal(records.forgetOtherBoots(testBoot), 1);
  assert.equal(records.count({}), 3);
});
