import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import test from 'node:test';
import { pathMembers } from '../../src/model/path.ts';
import type { Store } from '../../src/model/store.ts';
import { verifyHistory } from '../../src/store/verify-history.ts';
import { commandLine } from '../support/command-line.ts';
import { repoPath } from '../support/repo-root.ts';
import { random, testSeed } from '../support/seed.ts';
import { databaseOf, eventOf, openTestStore, sqlite3, sqlite3Rows } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';

const seed = testSeed();

/** A state directory with a history of some events of every form; the store is closed. */
function withHistory(events: number, more: (store: Store) => void = () => undefined) {
  const dir = tempDir('history-chain');
  const store = openTestStore(dir.path);
  const { int, pick } = random(seed);
  for (let index = 0; index < events; index += 1) {
    const path = pick(['a', 'a/\xff', 'b\n"\\\x1b', 'ü/\u2028']);
    const subject = { mount: '0:39', ...pathMembers(path), kind: 'map', id: int(9) };
    const before = { ...subject, text: 'é\u0001"' };
    store.events.append([
      eventOf({ subject, after: int(2) === 0 ? null : { id: int(9) } }),
      eventOf({ type: 'pin.renamed', subject, before, after: before, actor: 'uid:0 pid:7 comm:tc' }),
      eventOf({ subject: {}, type: 'node.started', operation_id: 'op', unit: 'bird.service' }),
    ]);
  }
  more(store);
  store.close();
  return dir;
}

/** The checker of docs/history.md: Python's own SHA-256 and JSON. */
function checkWithPython(stateDir: string): string {
  const program = repoPath('docs/verify-history.py');
  const { stdout, status } = spawnSync('python3', [program, databaseOf(stateDir)], { encoding: 'utf8' });
  assert.equal(status, stdout.startsWith('ok') ? 0 : 1);
  return stdout.trim();
}

test('a history that nobody touched verifies from its first event to its last', () => {
  using dir = withHistory(50);
  assert.deepEqual(verifyHistory(dir.path), { verified: 150, unchained: 0 });
  assert.equal(checkWithPython(dir.path), 'ok 150');
});

test('what retention removed is not missed, and what it left still verifies', () => {
  using dir = withHistory(50, ({ events }) => {
    assert.equal(events.prune(70, 30), 30);
    assert.equal(events.prune(70, 500), 40);
    assert.equal(events.prune(70, 500), 0);
    events.append([eventOf()]);
  });
  assert.deepEqual(verifyHistory(dir.path), { verified: 81, unchained: 0 });
  assert.equal(checkWithPython(dir.path), 'ok 81');
});

test('a history of which nothing is left, and one that never began, verify', () => {
  using none = withHistory(0);
  assert.deepEqual(verifyHistory(none.path), { verified: 0, unchained: 0 });
  using gone = withHistory(2, ({ events }) => void events.prune(6, 500));
  assert.deepEqual(verifyHistory(gone.path), { verified: 0, unchained: 0 });
  const reopened = openTestStore(gone.path);
  reopened.events.append([eventOf()]);
  reopened.close();
  assert.deepEqual(verifyHistory(gone.path), { verified: 1, unchained: 0 });
});

/** SQL that writes an event once more under another number. */
function copyOf(seq: number, as: string, hash: string): string {
  return `INSERT INTO event (seq, time, node, boot_id, type, actor, hash)
    SELECT ${as}, time, node, boot_id, type, actor, ${hash} FROM event WHERE seq = ${seq}`;
}

const harms = [
  { harm: "UPDATE event SET actor = 'nobody' WHERE seq = 77", seq: 77 },
  { harm: "UPDATE event SET actor = 'nobody' WHERE seq = 150", seq: 150 },
  { harm: "UPDATE event SET time = '2027-01-01T00:00:00.000Z' WHERE seq = 1", seq: 1 },
  { harm: 'UPDATE event SET after = NULL, before = NULL WHERE seq = 80', seq: 80 },
  { harm: "UPDATE event SET path = x'62' WHERE seq = 80", seq: 80 },
  { harm: "UPDATE event SET path_left = x'62' WHERE seq = 80", seq: 80 },
  { harm: "UPDATE event SET unit = 'x.service' WHERE seq = 80", seq: 80 },
  { harm: 'UPDATE event SET hash = zeroblob(32) WHERE seq = 80', seq: 80 },
  { harm: 'UPDATE event SET hash = NULL WHERE seq = 80', seq: 80 },
  { harm: 'DELETE FROM event WHERE seq = 80', seq: 80 },
  { harm: 'DELETE FROM event WHERE seq BETWEEN 100 AND 150', seq: 100 },
  { harm: 'DELETE FROM event WHERE seq = 31', seq: 31 },
  { harm: 'DELETE FROM event WHERE seq > 140', seq: 141 },
  { harm: 'DELETE FROM event; UPDATE store SET event_seq = 0', seq: 1 },
  { harm: 'UPDATE event SET seq = 900 WHERE seq = 80; UPDATE event SET seq = 80 WHERE seq = 81', seq: 80 },
  {
    harm: `UPDATE event SET seq = 999 WHERE seq = 90; UPDATE event SET seq = 90 WHERE seq = 93;
      UPDATE event SET seq = 93 WHERE seq = 999`,
    seq: 90,
  },
  { harm: 'DELETE FROM event WHERE seq = 150; UPDATE store SET event_seq = 149', seq: 150 },
  { harm: copyOf(150, '151', 'NULL'), seq: 151 },
  { harm: copyOf(50, '5', 'hash'), seq: 5, pruned: true },
] as const;

for (const { harm, seq, ...given } of harms) {
  test(`the first event that is wrong is named: ${harm.replaceAll(/\s+/g, ' ').slice(0, 70)}`, () => {
    const pruned = 'pruned' in given;
    using dir = withHistory(50, ({ events }) => void (pruned && events.prune(30, 500)));
    sqlite3(databaseOf(dir.path), harm);
    const { fault } = verifyHistory(dir.path);
    assert.equal(fault?.seq, seq, fault?.what);
    if (!pruned) assert.match(checkWithPython(dir.path), new RegExp(`^bad ${seq}\\b`));
  });
}

/** What a column is harmed to: another value of its type, and NULL where it may be that and is not. */
function valuesFor({ type, notnull }: { readonly type: unknown; readonly notnull: unknown }) {
  const other = { TEXT: "'x'", INTEGER: '4711', BLOB: 'zeroblob(32)' }[String(type)] ?? 'NULL';
  return notnull === 1 ? [other] : [other, 'NULL'];
}

test('no column of an event can be written anew, but for how much room it takes', () => {
  // Every column of this event has a value.
  const whole = {
    subject: { mount: '0:39', path: 'p', kind: 'map', id: 7, type: 'hash', name: 'n' },
  } as const;
  const more = {
    type: 'pin.renamed',
    operation_id: 'op',
    unit: 'u',
    before: { path: 'o' },
    after: {},
  } as const;
  using dir = withHistory(2, ({ events }) => void events.append([eventOf({ ...whole, ...more }), eventOf()]));
  const database = databaseOf(dir.path);
  const columns = sqlite3Rows(database, 'PRAGMA table_info(event)').filter(({ name }) => name !== 'size');
  assert.equal(columns.length, 18);
  const quoted = columns.map(({ name }) => `quote(${name}) AS ${name}`).join();
  const [row] = sqlite3Rows(database, `SELECT ${quoted} FROM event WHERE seq = 7`);
  for (const { name, type, notnull, pk } of columns) {
    for (const value of valuesFor({ type, notnull: pk === 1 ? 1 : notnull })) {
      const set = (to: unknown, at: unknown): void =>
        void sqlite3(database, `UPDATE event SET ${name} = ${to} WHERE seq = ${at}`);
      set(value, 7);
      assert.equal(verifyHistory(dir.path).fault?.seq, 7, `${name} = ${value}`);
      set(row?.[String(name)], name === 'seq' ? value : 7);
    }
  }
  assert.deepEqual(verifyHistory(dir.path), { verified: 8, unchained: 0 });
});

test('where the chain begins and ends cannot be written anew either', () => {
  using dir = withHistory(20, ({ events }) => void events.prune(30, 500));
  const database = databaseOf(dir.path);
  const ends = [
    ['event_seq', ['59', '61', '0', '900']],
    ['event_floor', ['29', '31', '0', '900']],
    ['event_hash', ['zeroblob(32)']],
    ['event_floor_hash', ['zeroblob(32)']],
  ] as const;
  for (const [column, values] of ends) {
    const was = sqlite3(database, `SELECT quote(${column}) FROM store`);
    for (const value of values) {
      sqlite3(database, `UPDATE store SET ${column} = ${value}`);
      assert.notEqual(verifyHistory(dir.path).fault, undefined, `${column} = ${value}`);
    }
    sqlite3(database, `UPDATE store SET ${column} = ${was}`);
  }
  assert.deepEqual(verifyHistory(dir.path), { verified: 30, unchained: 0 });
});

test('events of a schema without hashes are counted apart, and the chain begins after them', () => {
  using dir = tempDir('history-legacy');
  execFileSync('sqlite3', [databaseOf(dir.path)], {
    input: execFileSync('cat', [repoPath('test/unit/store-schemas/schema-0002.sql')]),
  });
  const store = openTestStore(dir.path);
  store.events.append([eventOf(), eventOf()]);
  assert.ok(store.events.extent().bytes > 0);
  store.close();
  const unchained = Number(sqlite3(databaseOf(dir.path), 'SELECT count(*) FROM event')) - 2;
  assert.ok(unchained > 0);
  assert.deepEqual(verifyHistory(dir.path), { verified: 2, unchained });
});

test('a rolled back transaction leaves the chain and the size as they were', () => {
  using dir = withHistory(3, (store) => {
    const before = store.events.extent();
    assert.throws(() =>
      store.transaction(() => {
        store.events.append([eventOf(), eventOf()]);
        throw new Error('no');
      }),
    );
    assert.deepEqual(store.events.extent(), before);
    store.events.append([eventOf()]);
  });
  assert.deepEqual(verifyHistory(dir.path), { verified: 10, unchained: 0 });
});

test('doctor --verify-history says that all is well, or names the first event and exits with 1', async () => {
  using dir = withHistory(10);
  const words = ['doctor', '--verify-history', '--state-dir', dir.path];
  const well = await commandLine(words);
  assert.deepEqual([well.code, well.out], [0, 'ok    history  all 30 events are as they were written\n']);
  sqlite3(databaseOf(dir.path), 'DELETE FROM event WHERE seq = 7');
  const harmed = await commandLine([...words, '-o', 'json']);
  assert.equal(harmed.code, 1);
  assert.match(JSON.parse(harmed.out).items[0].finding, /^event 7 .*it is missing; 6 before it/);
  const none = await commandLine(['doctor', '--verify-history', '--state-dir', `${dir.path}/none`]);
  assert.equal(none.code, 1);
  assert.match(none.err, /cannot be read/);
});
