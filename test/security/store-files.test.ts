import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { forFile } from '../support/disposal.ts';
import { databaseOf, eventOf, openTestStore } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';

const scratch = forFile(tempDir('store-files'));
let made = 0;

/** The name of a directory that does not exist yet. */
function newDir(): string {
  made += 1;
  return join(scratch.path, `state-${made}`);
}

const modeOf = (path: string): number => lstatSync(path).mode & 0o7777;

test('whatever the umask is, the directory is 0700 and every file in it 0600', () => {
  for (const umask of [0o000, 0o022, 0o077, 0o777]) {
    const dir = newDir();
    const before = process.umask(umask);
    try {
      const store = openTestStore(dir);
      store.events.append([eventOf()]);
      assert.equal(modeOf(dir), 0o700);
      const names = readdirSync(dir).sort();
      assert.deepEqual(names, ['pinfold.db', 'pinfold.db-shm', 'pinfold.db-wal', 'pinfold.lock']);
      for (const name of names) assert.equal(modeOf(join(dir, name)), 0o600, name);
      store.close();
    } finally {
      process.umask(before);
    }
  }
});

test('looser modes of our own directory and files are tightened, those of a shared one are not', () => {
  const dir = newDir();
  openTestStore(dir).close();
  chmodSync(dir, 0o755);
  chmodSync(databaseOf(dir), 0o644);
  openTestStore(dir).close();
  assert.equal(modeOf(dir), 0o700);
  assert.equal(modeOf(databaseOf(dir)), 0o600);
  const shared = newDir();
  mkdirSync(shared);
  writeFileSync(join(shared, 'hosts'), '');
  chmodSync(shared, 0o755);
  openTestStore(shared).close();
  assert.equal(modeOf(shared), 0o755);
  assert.equal(modeOf(databaseOf(shared)), 0o600);
});

test('a directory or file that another could have a hand in is refused with a sentence', () => {
  const harms: readonly { readonly harm: (dir: string) => void; readonly saying: RegExp }[] = [
    { harm: (dir) => chmodSync(dir, 0o770), saying: /can be written to by others/ },
    { harm: (dir) => chmodSync(dir, 0o1777), saying: /can be written to by others/ },
    { harm: (dir) => chownSync(dir, 65534, 65534), saying: /belongs to uid 65534/ },
    { harm: (dir) => chmodSync(databaseOf(dir), 0o606), saying: /pinfold\.db can be written to by others/ },
    { harm: (dir) => chownSync(databaseOf(dir), 65534, 0), saying: /pinfold\.db belongs to uid 65534/ },
    { harm: (dir) => chownSync(join(dir, 'pinfold.lock'), 65534, 0), saying: /pinfold\.lock belongs to uid/ },
  ];
  for (const { harm, saying } of harms) {
    const dir = newDir();
    openTestStore(dir).close();
    harm(dir);
    assert.throws(() => openTestStore(dir), { code: 'storage_failed', message: saying });
  }
});

test('symbolic links in the place of the directory or of its files are not followed', () => {
  const victim = newDir();
  openTestStore(victim).close();
  const link = newDir();
  symlinkSync(victim, link);
  assert.throws(() => openTestStore(link), { code: 'storage_failed', message: /symbolic link/ });
  for (const name of ['pinfold.db', 'pinfold.db-wal', 'pinfold.lock']) {
    const dir = newDir();
    mkdirSync(dir, { mode: 0o700 });
    symlinkSync(join(scratch.path, 'made-through-link'), join(dir, name));
    assert.throws(() => openTestStore(dir), { code: 'storage_failed', message: /symbolic link/ });
    assert.ok(!existsSync(join(scratch.path, 'made-through-link')));
  }
  const unfinished = newDir();
  mkdirSync(unfinished, { mode: 0o700 });
  symlinkSync(join(scratch.path, 'made-through-link'), join(unfinished, 'pinfold.db.unfinished'));
  openTestStore(unfinished).close();
  assert.ok(!existsSync(join(scratch.path, 'made-through-link')));
});

test('a state directory that is a file, below one, or where none can be is refused with a sentence', () => {
  const file = newDir();
  writeFileSync(file, '');
  assert.throws(() => openTestStore(file), { code: 'storage_failed' });
  assert.throws(() => openTestStore(join(file, 'below')), {
    code: 'storage_failed',
    message: /not a directory/,
  });
  const nowhere = /^The directory \/proc\/none cannot be made: .*; name another one\.$/;
  for (const dir of ['/proc/none', '/proc/none/below'])
    assert.throws(() => openTestStore(dir), { code: 'storage_failed', message: nowhere });
  rmSync(file);
});

test('the secret of a token is nowhere in the files', () => {
  const dir = newDir();
  const secret = randomBytes(32).toString('base64url');
  const store = openTestStore(dir);
  store.tokens.add({
    name: 'canary',
    role: 'operator',
    sha256: createHash('sha256').update(secret).digest(),
    createdAt: '2026-11-23T10:00:00.000Z',
    expiresAt: null,
    lastUsedAt: null,
    createdBy: 'admin',
  });
  const grep = (text: string): string =>
    execFileSync('sh', ['-c', 'grep -rlaF -- "$1" "$2" || true', 'sh', text, dir], { encoding: 'utf8' });
  assert.match(grep('canary'), /pinfold\.db/);
  assert.equal(grep(secret), '');
  store.close();
});

test('hostile texts and bytes are values, never SQL', () => {
  const dir = newDir();
  const store = openTestStore(dir);
  const hostile = `'; DROP TABLE event; --\0\u202e"`;
  store.events.append([
    eventOf({ actor: hostile, subject: { mount: hostile, path: hostile, kind: hostile } }),
  ]);
  const query = {
    actor: hostile,
    mount: hostile,
    path: Buffer.from(hostile).toString('latin1'),
    kind: hostile,
    types: ['pin.created', hostile],
    limit: 5,
  };
  assert.equal(store.events.list(query)[0]?.actor, hostile);
  assert.equal(store.events.count(query), 1);
  store.settings.set(hostile, hostile);
  assert.equal(store.settings.get(hostile), hostile);
  store.close();
});
