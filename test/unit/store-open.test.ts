import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { isPinfoldError } from '../../src/model/error.ts';
import { limits } from '../../src/model/limits.ts';
import { currentVersion } from '../../src/store/migrations.ts';
import { start } from '../support/process.ts';
import { repoPath } from '../support/repo-root.ts';
import {
  copyDatabase,
  databaseOf,
  eventOf,
  hashOf,
  intentOf,
  openTestStore,
  pinOf,
  sqlite3,
} from '../support/store.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';

/** A state directory that a store was made in, used and closed. */
function usedDir(): TempDir {
  const dir = tempDir('store-open');
  const store = openTestStore(dir.path);
  store.pins.put([pinOf()]);
  store.events.append([eventOf(), eventOf()]);
  store.close();
  return dir;
}

/** A copy of a state directory as a killed agent leaves it: with its write-ahead log. */
function killedDir(fill: (store: ReturnType<typeof openTestStore>) => void): TempDir {
  using dir = usedDir();
  const killed = tempDir('store-killed');
  const store = openTestStore(dir.path);
  try {
    fill(store);
    copyDatabase(dir.path, killed.path);
  } finally {
    store.close();
  }
  return killed;
}

/** Opening is refused with one sentence that names the file, and leaves every byte as it was. */
function assertRefused(dir: string, saying: RegExp): void {
  const before = hashOf(dir);
  assert.throws(
    () => openTestStore(dir).close(),
    (error) =>
      isPinfoldError(error, 'storage_failed') && saying.test(error.message) && error.message.includes(dir),
  );
  assert.equal(hashOf(dir), before);
}

test('what was written is there after closing and opening again', () => {
  using dir = usedDir();
  assert.deepEqual(readdirSync(dir.path).sort(), ['pinfold.db', 'pinfold.lock']);
  const store = openTestStore(dir.path);
  assert.deepEqual(store.pins.listPresent(), [pinOf()]);
  assert.equal(store.events.lastSeq(), 2);
  store.close();
  assert.equal(
    sqlite3(databaseOf(dir.path), 'PRAGMA journal_mode; PRAGMA user_version; PRAGMA integrity_check'),
    `wal\n${currentVersion}\nok`,
  );
});

test('every schema ever released opens, keeps its rows and ends as a new one would', () => {
  using fresh = usedDir();
  const schema = 'SELECT type, name, sql FROM sqlite_schema ORDER BY type, name';
  const released = readdirSync(repoPath('test/unit/store-schemas'));
  assert.equal(released.length, currentVersion);
  for (const name of released) {
    using dir = tempDir('store-schema');
    execFileSync('sqlite3', [databaseOf(dir.path)], {
      input: readFileSync(repoPath('test/unit/store-schemas', name)),
    });
    const store = openTestStore(dir.path);
    assert.deepEqual(store.pins.listPresent(), [pinOf()]);
    assert.deepEqual(store.journal.listOpen(), [intentOf('op-1')]);
    assert.equal(store.journal.find('op-2')?.outcome, 'applied');
    assert.equal(store.objects.listPresent('boot-1')[0]?.info.type, 'hash');
    assert.equal(store.events.append([eventOf()])[0]?.seq, 8);
    assert.equal(store.settings.get('agent_uuid'), 'u-1');
    store.close();
    assert.equal(sqlite3(databaseOf(dir.path), schema), sqlite3(databaseOf(fresh.path), schema));
  }
});

test('a database of a newer Pinfold is refused and not written to, also where only its log says so', () => {
  using dir = usedDir();
  sqlite3(databaseOf(dir.path), `PRAGMA user_version = ${currentVersion + 1}`);
  assertRefused(dir.path, /schema \d+.*run the newer Pinfold/);
  using killed = killedDir(() => undefined);
  const file = databaseOf(killed.path);
  const bytes = readFileSync(file);
  const copy = `.shell cp '${file}' '${file}-wal' '${killed.path}/..'`;
  const script = `PRAGMA user_version = ${currentVersion + 1};\n${copy}`;
  execFileSync('sqlite3', [file], { input: script });
  execFileSync('mv', [`${killed.path}/../pinfold.db-wal`, `${killed.path}/../pinfold.db`, killed.path]);
  assert.deepEqual(readFileSync(file).subarray(60, 64), bytes.subarray(60, 64));
  assertRefused(killed.path, /schema \d+.*run the newer Pinfold/);
});

test('a file that is empty, cut off, overwritten or another program’s is refused and left as it was', () => {
  const harms: readonly { readonly harm: (file: string) => void; readonly saying: RegExp }[] = [
    { harm: (file) => truncateSync(file, 0), saying: /cut off after 0 bytes/ },
    { harm: (file) => truncateSync(file, 50), saying: /cut off after 50 bytes/ },
    { harm: (file) => truncateSync(file, 12_288), saying: /damaged/ },
    { harm: (file) => writeFileSync(file, 'x'.repeat(20_000)), saying: /does not begin as/ },
    { harm: (file) => sqlite3(file, 'PRAGMA application_id = 7'), saying: /does not say that it is Pinfold/ },
    { harm: (file) => sqlite3(file, 'PRAGMA user_version = 0'), saying: /schema version is 0/ },
    {
      harm: (file) => sqlite3(file, 'UPDATE store SET event_seq = 1'),
      saying: /event 2 though it counted only 1/,
    },
    { harm: (file) => sqlite3(file, 'DELETE FROM store'), saying: /damaged/ },
    { harm: (file) => sqlite3(file, 'DROP TABLE operation'), saying: /damaged|no such table/ },
  ];
  for (const { harm, saying } of harms) {
    using dir = usedDir();
    harm(databaseOf(dir.path));
    assertRefused(dir.path, saying);
  }
});

test('a write-ahead log of another database is refused, be it that of a backup’s original', async () => {
  using killed = killedDir((store) => store.events.append([eventOf()]));
  using other = usedDir();
  execFileSync('cp', [`${databaseOf(killed.path)}-wal`, other.path]);
  assertRefused(other.path, /belongs to another database/);

  using home = usedDir();
  using restored = tempDir('store-restored');
  const store = openTestStore(home.path);
  await store.backup(databaseOf(restored.path));
  store.events.append([eventOf()]);
  execFileSync('cp', [`${databaseOf(home.path)}-wal`, restored.path]);
  store.close();
  assertRefused(restored.path, /belongs to another database/);
});

test('a write-ahead log without its database is refused, not swept away', () => {
  using killed = killedDir((store) => store.events.append([eventOf()]));
  execFileSync('mv', [databaseOf(killed.path), `${killed.path}/elsewhere`]);
  assertRefused(killed.path, /is there but its database/);
  assert.ok(!existsSync(databaseOf(killed.path)));
});

test('what a process killed while making its database left behind is not in the way', () => {
  using dir = tempDir('store-unfinished');
  writeFileSync(join(dir.path, 'pinfold.db.unfinished'), 'half');
  writeFileSync(join(dir.path, 'pinfold.db.unfinished-wal'), 'half');
  openTestStore(dir.path).close();
  assert.deepEqual(readdirSync(dir.path).sort(), ['pinfold.db', 'pinfold.lock']);
});

test('a second agent is refused, sqlite3 reads along, and a killed one leaves no lock', async () => {
  using dir = usedDir();
  const store = openTestStore(dir.path);
  assert.throws(() => openTestStore(dir.path), /Another Pinfold agent is using/);
  assert.equal(sqlite3(databaseOf(dir.path), 'SELECT count(*) FROM event'), '2');
  store.close();
  using holder = start('sqlite3', ['-interactive', join(dir.path, 'pinfold.lock')]);
  holder.write('BEGIN EXCLUSIVE;');
  holder.write(`SELECT 'held';`);
  await holder.line(/held/);
  assert.throws(() => openTestStore(dir.path), /Another Pinfold agent is using/);
  holder.kill();
  await holder.exit();
  openTestStore(dir.path).close();
});

test('a read-only file system is refused with a sentence, and nothing there changes', () => {
  using dir = usedDir();
  using mount = tempDir('store-ro');
  execFileSync('mount', ['--bind', dir.path, mount.path]);
  try {
    execFileSync('mount', ['-o', 'remount,ro,bind', mount.path]);
    assert.throws(() => openTestStore(mount.path), {
      code: 'storage_failed',
      message: /file system is read-only/,
    });
  } finally {
    execFileSync('umount', [mount.path]);
  }
  openTestStore(dir.path).close();
});

test('beyond the size at which all is checked, the tables recovery stands on still are', () => {
  using dir = usedDir();
  const file = databaseOf(dir.path);
  const blob = `INSERT INTO probe VALUES (1, zeroblob(${limits.stateCheckBytesMax}))`;
  sqlite3(file, `INSERT INTO setting VALUES ('a', '1'); ${blob}`);
  assert.ok(statSync(file).size > limits.stateCheckBytesMax);
  openTestStore(dir.path).close();
  const page = Number(sqlite3(file, `SELECT rootpage FROM sqlite_schema WHERE name = 'setting'`));
  const pageBytes = Number(sqlite3(file, 'PRAGMA page_size'));
  execFileSync(
    'dd',
    [`of=${file}`, 'if=/dev/urandom', `bs=${pageBytes}`, 'count=1', `seek=${page - 1}`, 'conv=notrunc'],
    { stdio: 'ignore' },
  );
  assertRefused(dir.path, /damaged/);
});

test('a database that sqlite3 has vacuumed still opens', () => {
  using dir = usedDir();
  sqlite3(databaseOf(dir.path), 'VACUUM');
  openTestStore(dir.path).close();
});
