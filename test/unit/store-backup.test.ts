import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import type { Store } from '../../src/model/store.ts';
import { eventMessage } from '../../src/model/webhook/message.ts';
import { disposable } from '../support/disposal.ts';
import { databaseOf, eventOf, openTestStore, pinOf, sqlite3 } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';

/** A store, and a directory for its backups. */
function setUp() {
  const dir = tempDir('store-backup');
  const out = tempDir('store-backup-out');
  const store = openTestStore(dir.path);
  const release = disposable(() => {
    store.close();
    dir[Symbol.dispose]();
    out[Symbol.dispose]();
  });
  return { store, dir: dir.path, out: out.path, file: join(out.path, 'copy.db'), ...release };
}

test('a backup taken while changes go on is one moment of the database, private, and opens', async () => {
  using it = setUp();
  it.store.pins.put(Array.from({ length: 5000 }, (_, index) => pinOf({ path: `p/${index}`, inode: index })));
  const umask = process.umask(0);
  const done = it.store.backup(it.file);
  let isDone = false;
  void done.then(() => {
    isDone = true;
  });
  let longestMs = 0;
  while (!isDone) {
    const began = performance.now();
    it.store.transaction(() => {
      it.store.events.append([eventOf(), eventOf()]);
      it.store.settings.set('twice', String(it.store.events.lastSeq()));
    });
    longestMs = Math.max(longestMs, performance.now() - began);
    await new Promise(setImmediate);
  }
  process.umask(umask);
  const { bytes } = await done;
  assert.ok(longestMs < 1000, `a change waited ${longestMs} ms`);
  assert.equal(statSync(it.file).size, bytes);
  assert.equal(statSync(it.file).mode & 0o7777, 0o600);
  assert.deepEqual(readdirSync(it.out), ['copy.db']);
  assert.equal(sqlite3(it.file, 'PRAGMA integrity_check; SELECT count(*) FROM pin'), 'ok\n5000');
  assert.equal(
    sqlite3(it.file, `SELECT (SELECT max(seq) FROM event) = value FROM setting WHERE name = 'twice'`),
    '1',
  );

  const restored = join(it.out, 'state');
  mkdirSync(restored, { mode: 0o700 });
  execFileSync('cp', [it.file, databaseOf(restored)]);
  const store = openTestStore(restored);
  assert.equal(store.pins.listPresent().length, 5000);
  // What both tell of an event of one number are two things: no receiver may take one for the other.
  const idsOf = ({ identity: history, events }: Store): readonly string[] =>
    events.list({ limit: 1 }).map((event) => eventMessage({ node: 'n', history }, event).id);
  assert.equal(idsOf(store).length, 1);
  assert.notDeepEqual(idsOf(store), idsOf(it.store));
  store.close();
});

test('a backup overwrites nothing and follows no link', async () => {
  using it = setUp();
  writeFileSync(it.file, 'precious');
  await assert.rejects(it.store.backup(it.file), { code: 'already_exists' });
  assert.equal(readFileSync(it.file, 'utf8'), 'precious');
  const link = join(it.out, 'link.db');
  symlinkSync(join(it.out, 'target.db'), link);
  await assert.rejects(it.store.backup(link), { code: 'already_exists', message: /symbolic link/ });
  assert.ok(!existsSync(join(it.out, 'target.db')));
  await assert.rejects(it.store.backup(databaseOf(it.dir)), { code: 'already_exists' });
  await assert.rejects(it.store.backup(`${databaseOf(it.dir)}-journal`), { code: 'invalid_input' });
  assert.deepEqual(readdirSync(it.out).sort(), ['copy.db', 'link.db']);
});

test('a backup into a directory that is not there, or where anybody may rename, is refused', async () => {
  using it = setUp();
  await assert.rejects(it.store.backup(join(it.out, 'no/copy.db')), { code: 'invalid_input' });
  chmodSync(it.out, 0o777);
  await assert.rejects(it.store.backup(it.file), { code: 'invalid_input', message: /anybody may rename/ });
  assert.deepEqual(readdirSync(it.out), []);
});

test('a backup that finds no space says so and leaves nothing behind', async () => {
  using it = setUp();
  it.store.events.append([eventOf({ after: { text: 'x'.repeat(2 ** 20) } })]);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=0700', 'pf-store', it.out]);
  try {
    await assert.rejects(it.store.backup(it.file), { code: 'storage_full' });
    assert.deepEqual(readdirSync(it.out), []);
  } finally {
    execFileSync('umount', [it.out]);
  }
  assert.equal((await it.store.backup(it.file)).bytes, statSync(it.file).size);
});
