import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { extname, join } from 'node:path';
import test from 'node:test';
import { isPinfoldError } from '../../src/model/error.ts';
import { disposable } from '../support/disposal.ts';
import { start } from '../support/process.ts';
import { rounds } from '../support/rounds.ts';
import { random, testSeed } from '../support/seed.ts';
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
import { tempDir } from '../support/temp-dir.ts';

const seed = testSeed();
const writer = join(import.meta.dirname, `store-writer${extname(import.meta.url)}`);

/** What holds of every database whatever happened to the process that wrote it, as sqlite3 sees it. */
function assertSound(file: string): void {
  assert.equal(sqlite3(file, 'PRAGMA integrity_check'), 'ok');
  assert.equal(sqlite3(file, 'SELECT event_seq = coalesce((SELECT max(seq) FROM event), 0) FROM store'), '1');
  assert.equal(
    sqlite3(file, 'SELECT count(*) = coalesce(max(seq), 0) FROM event'),
    '1',
    'the numbers have a hole',
  );
  const halves = `SELECT count(*) FROM operation o WHERE (outcome = 'applied') <>
    ((SELECT count(*) FROM event WHERE operation_id = o.id) = 2)`;
  assert.equal(sqlite3(file, halves), '0', 'an operation was settled by half');
}

test('a writer killed at any moment has lost nothing it was told is written', async () => {
  using dir = tempDir('store-kill');
  const file = databaseOf(dir.path);
  const { int } = random(seed);
  let next = 0;
  for (let round = 0; round < rounds(50); round++) {
    using child = start(process.execPath, [...process.execArgv, writer, dir.path, String(next)]);
    await child.line(/^open$/);
    const last = next + int(60);
    await child.line(new RegExp(`^${int(2) === 0 ? 'begun' : 'settled'} ${last}\\b`));
    child.kill();
    await child.exit();
    const said = child.lines.map((line) => line.split(' '));
    const begun = said.filter(([word]) => word === 'begun').length;
    const settled = said.filter(([word]) => word === 'settled').length;
    assertSound(file);
    const count = (outcome: string): number =>
      Number(
        sqlite3(
          file,
          `SELECT count(*) FROM operation WHERE ${outcome} AND CAST(substr(id, 4) AS INTEGER) >= ${next}`,
        ),
      );
    assert.ok(count(`outcome = 'applied'`) >= settled, 'an acknowledged change is lost');
    assert.ok(count('1') >= begun, 'an acknowledged intent is lost');
    assert.ok(count(`outcome = 'running'`) <= 1);
    const store = openTestStore(dir.path);
    for (const { operationId } of store.journal.listOpen()) {
      store.transaction(() => {
        store.events.append([eventOf({ operation_id: operationId }), eventOf({ operation_id: operationId })]);
        store.journal.settle(operationId, 'applied', '2026-11-23T10:00:02.000Z', null);
      });
    }
    store.close();
    next = 1 + Number(sqlite3(file, `SELECT max(CAST(substr(id, 4) AS INTEGER)) FROM operation`));
  }
});

test('after a power cut anywhere in the last transaction or a checkpoint, the database opens', () => {
  using home = tempDir('store-power');
  using cut = tempDir('store-power-cut');
  const write = (index: number): void => {
    store.journal.begin(intentOf(`op-${index}`));
    store.transaction(() => {
      store.pins.put([pinOf({ path: `p/${index}` })]);
      store.events.append([
        eventOf({ operation_id: `op-${index}` }),
        eventOf({ operation_id: `op-${index}` }),
      ]);
      store.journal.settle(`op-${index}`, 'applied', '2026-11-23T10:00:01.000Z', null);
    });
  };
  const store = openTestStore(home.path);
  const wal = `${databaseOf(home.path)}-wal`;
  for (let index = 0; index < 5; index++) write(index);
  const before = statSync(wal).size;
  write(5);
  const after = statSync(wal).size;
  copyDatabase(home.path, cut.path);
  store.close();
  const whole = readFileSync(`${databaseOf(cut.path)}-wal`);
  const main = readFileSync(databaseOf(cut.path));
  const pageBytes = Number(sqlite3(databaseOf(cut.path), 'PRAGMA page_size'));
  assert.ok(after - before > 2 * pageBytes && after === whole.length);
  const lay = (database: Buffer, log: Buffer): void => {
    for (const suffix of ['-shm', '-wal']) rmSync(databaseOf(cut.path) + suffix, { force: true });
    writeFileSync(databaseOf(cut.path), database, { mode: 0o600 });
    writeFileSync(`${databaseOf(cut.path)}-wal`, log, { mode: 0o600 });
  };
  for (let bytes = before; bytes <= after; bytes += 512) {
    lay(main, whole.subarray(0, bytes));
    openTestStore(cut.path).close();
    assertSound(databaseOf(cut.path));
    assert.ok(
      Number(sqlite3(databaseOf(cut.path), `SELECT count(*) FROM operation WHERE outcome = 'applied'`)) >= 5,
    );
  }
  for (let bytes = 2 * pageBytes; bytes <= main.length; bytes += pageBytes) {
    lay(Buffer.concat([main.subarray(0, bytes), Buffer.alloc(main.length - bytes)]), whole);
    opensSoundOrRefuses(cut.path);
  }
});

/** It opens and is whole as far as SQLite can know, or is refused with a sentence and left as it was. */
function opensSoundOrRefuses(dir: string): 'opened' | 'refused' {
  const before = hashOf(dir);
  try {
    openTestStore(dir).close();
  } catch (error) {
    assert.ok(isPinfoldError(error, 'storage_failed'), String(error));
    assert.match(error.message, /^[A-Z].*\.$/s);
    assert.equal(hashOf(dir), before, 'a refused database was written to');
    return 'refused';
  }
  assert.equal(sqlite3(databaseOf(dir), 'PRAGMA integrity_check'), 'ok');
  return 'opened';
}

test('a thousand corruptions are refused with a sentence, or harm nothing that SQLite knows of', () => {
  using home = tempDir('store-corrupt');
  using hurt = tempDir('store-corrupt-copy');
  const store = openTestStore(home.path);
  for (let index = 0; index < 40; index++) {
    store.journal.begin(intentOf(`op-${index}`));
    store.pins.put([pinOf({ path: `p/${index}` })]);
    store.events.append([eventOf()]);
  }
  copyDatabase(home.path, hurt.path);
  const log = readFileSync(`${databaseOf(hurt.path)}-wal`);
  store.close();
  const database = readFileSync(databaseOf(home.path));
  const pageBytes = Number(sqlite3(databaseOf(home.path), 'PRAGMA page_size'));
  const { int, pick, bytes } = random(seed);
  const seen = { opened: 0, refused: 0 };
  for (let round = 0; round < rounds(50) * 20; round++) {
    const image = Buffer.from(database);
    const harm = pick(['bit', 'bytes', 'page', 'swap', 'zero', 'header', 'cut', 'log'] as const);
    const page = int(image.length / pageBytes) * pageBytes;
    if (harm === 'bit') image[int(image.length)] = int(256);
    if (harm === 'bytes') image.set(bytes(16), int(image.length - 16));
    if (harm === 'page') image.set(bytes(pageBytes), page);
    if (harm === 'swap') image.copyWithin(page, int(image.length / pageBytes) * pageBytes, undefined);
    if (harm === 'zero') image.fill(0, page, page + pageBytes);
    if (harm === 'header') image[int(100)] = int(256);
    rmSync(`${databaseOf(hurt.path)}-shm`, { force: true });
    rmSync(`${databaseOf(hurt.path)}-wal`, { force: true });
    if (harm === 'log') {
      const torn = Buffer.from(log);
      torn.set(bytes(8), int(torn.length - 8));
      writeFileSync(`${databaseOf(hurt.path)}-wal`, torn, { mode: 0o600 });
    }
    writeFileSync(databaseOf(hurt.path), harm === 'cut' ? image.subarray(0, int(image.length)) : image, {
      mode: 0o600,
    });
    seen[opensSoundOrRefuses(hurt.path)] += 1;
  }
  assert.ok(seen.refused > seen.opened / 4, JSON.stringify(seen));
});

test('on a full disk changes are storage_full and reads work; with space it recovers by itself', () => {
  using mount = tempDir('store-full');
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=0700', 'pf-store', mount.path]);
  using _unmount = disposable(() => execFileSync('umount', ['-l', mount.path]));
  const dir = join(mount.path, 'state');
  mkdirSync(dir, { mode: 0o700 });
  const store = openTestStore(dir);
  const isFull = (error: unknown): boolean => isPinfoldError(error, 'storage_full');
  const long = { text: 'x'.repeat(20_000) };
  for (let round = 0; round < 3; round++) {
    const ballast = join(mount.path, 'ballast');
    const fd = openSync(ballast, 'w');
    assert.throws(
      () => {
        for (;;) writeSync(fd, Buffer.alloc(4096));
      },
      { code: 'ENOSPC' },
    );
    closeSync(fd);
    let written = store.events.lastSeq();
    assert.throws(() => {
      for (;;) written = store.events.append([eventOf({ after: long })])[0]?.seq ?? -1;
    }, isFull);
    assert.throws(() => store.journal.begin(intentOf(`full-${round}`, { plan: long })), isFull);
    assert.throws(
      () =>
        store.transaction(() => {
          store.settings.set('half', 'done');
          store.events.append([eventOf({ after: long })]);
        }),
      isFull,
    );
    assert.equal(store.events.lastSeq(), written);
    assert.equal(store.events.list({ limit: 5000 }).length, written);
    assert.equal(store.settings.get('half'), undefined);
    truncateSync(ballast, 0);
    assert.equal(store.events.append([eventOf()])[0]?.seq, written + 1);
  }
  store.close();
  assert.equal(sqlite3(databaseOf(dir), 'PRAGMA integrity_check'), 'ok');
});

test('a state directory on a disk that is full from the start is storage_full and opens later', () => {
  using mount = tempDir('store-full-start');
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k,mode=0700', 'pf-store', mount.path]);
  using _unmount = disposable(() => execFileSync('umount', ['-l', mount.path]));
  assert.throws(() => openTestStore(mount.path), { code: 'storage_full' });
  execFileSync('mount', ['-o', 'remount,size=2m', mount.path]);
  const store = openTestStore(mount.path);
  assert.equal(store.events.append([eventOf()])[0]?.seq, 1);
  store.close();
});
