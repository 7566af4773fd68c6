import assert from 'node:assert/strict';
import test from 'node:test';
import { pathMembers } from '../../src/model/path.ts';
import type { NewEvent } from '../../src/model/schema/event.ts';
import type { Store } from '../../src/model/store.ts';
import { databaseOf, eventOf, openTestStore, sqlite3 } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';

const mount = '0:39';

function withStore(events: readonly NewEvent[], body: (store: Store, database: string) => void): void {
  using dir = tempDir('path-history');
  const store = openTestStore(dir.path);
  try {
    store.events.append(events);
    body(store, databaseOf(dir.path));
  } finally {
    store.close();
  }
}

function at(time: string): NewEvent {
  return eventOf({ time: `2026-11-23T${time}Z` });
}

test('a time is the last event by number of the minute that ends with the latest one not after it', () => {
  const times = ['10:00:00.100', '10:00:00.050', '10:00:01.000', '10:05:00.000', '10:04:30.000'];
  withStore(times.map(at), ({ paths }) => {
    const seqAt = (time: string) => paths.seqAt(`2026-11-23T${time}Z`);
    assert.equal(seqAt('10:00:00.049'), undefined);
    assert.equal(seqAt('10:00:00.050'), 2);
    assert.equal(seqAt('10:00:00.999'), 2);
    assert.equal(seqAt('10:00:01.000'), 3);
    assert.equal(seqAt('10:04:29.999'), 3);
    assert.equal(seqAt('10:06:00.000'), 5, 'it was told after the one of a later time');
    assert.equal(paths.seqAt('2026-11-23T11:00:01.000+01:00'), 3, 'in whatever form');
  });
});

test('a clock that was ten years ahead for a while leaves no trace in answers about the right times', () => {
  const years = ['2026-01-01', '2036-01-01', '2026-01-02', '2016-01-01', '2026-01-03'];
  const events = years.map((day) => eventOf({ time: `${day}T00:00:00.000Z` }));
  withStore(events, ({ paths }) => {
    const days = ['2026-01-01', '2026-01-02', '2026-01-03', '2027-01-01'];
    assert.deepEqual(
      days.map((day) => paths.seqAt(`${day}T00:00:01.000Z`)),
      [1, 3, 5, 5],
    );
  });
});

test('what a rename, and a pin moved over another, left behind is found by the name that was left', () => {
  const pin = (path: string) => ({ mount, ...pathMembers(path), inode: 1 });
  const events = [
    eventOf({ subject: pin('a'), after: pin('a') }),
    eventOf({ type: 'pin.renamed', subject: pin('\xff'), before: pin('a'), after: pin('\xff') }),
    eventOf({
      type: 'pin.replaced',
      subject: pin('c'),
      before: pin('c'),
      after: { ...pin('c'), renamed_from: pathMembers('\xff') },
    }),
    eventOf({ type: 'finding.opened', subject: pin('a') }),
  ];
  withStore(events, ({ paths }) => {
    const seqs = (path: string, seq: number) =>
      [paths.before({ mount, path }, seq), paths.after({ mount, path }, seq)].map((event) => event?.seq);
    assert.deepEqual(seqs('a', 0), [undefined, 1]);
    assert.deepEqual(seqs('a', 1), [1, 2]);
    assert.deepEqual(seqs('a', 4), [2, undefined], 'a finding is no change of a name');
    assert.deepEqual(seqs('\xff', 2), [2, 3]);
    assert.deepEqual(seqs('\xff', 3), [3, undefined]);
    assert.deepEqual(seqs('c', 2), [undefined, 3]);
    assert.equal(paths.before({ mount: '0:40', path: 'a' }, 4), undefined);
  });
});

test('none of these questions reads more than an index and a few rows', () => {
  withStore([at('10:00:00.000')], (_, database) => {
    const named = `mount = '${mount}' AND type IN ('pin.created', 'pin.removed')`;
    const plans = [
      [`* FROM event INDEXED BY event_path WHERE path = x'61' AND ${named} AND seq <= 9`, 'seq DESC'],
      [`* FROM event INDEXED BY event_path_left WHERE path_left = x'61' AND ${named} AND seq > 9`, 'seq'],
      [`* FROM event INDEXED BY event_type WHERE type = 'node.started' AND seq <= 9`, 'seq DESC'],
    ];
    for (const [question, order] of plans) {
      const plan = sqlite3(database, `EXPLAIN QUERY PLAN SELECT ${question} ORDER BY ${order} LIMIT 1`);
      assert.match(plan, /SEARCH event USING INDEX event_\w+ \(.*rowid[<>]\?\)/, question);
      assert.doesNotMatch(plan, /TEMP B-TREE/, question);
    }
    const latest = `EXPLAIN QUERY PLAN SELECT max(time) FROM event WHERE time <= 'x'`;
    assert.match(sqlite3(database, latest), /SEARCH event USING COVERING INDEX event_time/);
  });
});
