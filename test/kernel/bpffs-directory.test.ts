import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import test from 'node:test';
import fc from 'fast-check';
import { parseEntries } from '../../src/kernel/bpffs/directory.ts';
import type { DirectoryEntry } from '../../src/kernel/kernel.ts';
import { Calls } from '../../src/kernel/sys/calls.ts';
import { type Fd, FdTable } from '../../src/kernel/sys/fd.ts';
import { limits } from '../../src/model/limits.ts';
import { type PinPath, parsePath, stagingName } from '../../src/model/path.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { createMap, pinnedMap } from '../support/bpftool.ts';
import { testSeed } from '../support/seed.ts';
import { leavingNothingOpen, makeDirectory, refusalOf, subject } from './bpffs-fixture.ts';

const seed = testSeed();
const kernel = subject();

function list(mountPath: string, path: PinPath | '' = '', with_ = kernel): readonly DirectoryEntry[] {
  return leavingNothingOpen(with_, () => {
    using root = with_.rootAt(mountPath);
    using directory = with_.bpffs.openDirectory(root, path);
    return with_.bpffs.readDirectory(directory);
  });
}

/**
 * What find(1) tells of a directory: inode, type letter and name, with the kernel's dotted names left out.
 */
function found(directory: string): string[] {
  const args = [
    directory,
    '-mindepth',
    '1',
    '-maxdepth',
    '1',
    '-not',
    '-name',
    '*.debug',
    '-printf',
    '%i %y %f\\0',
  ];
  return execFileSync('find', args, { encoding: 'latin1' }).split('\0').slice(0, -1).sort();
}

const letters = { directory: 'd', file: 'f', symlink: 'l', other: '?' } as const;
const told = (entries: readonly DirectoryEntry[]): string[] =>
  entries.map(({ inode, type, name }) => `${inode} ${letters[type]} ${name}`).sort();

test('a directory lists what find(1) lists: types, inodes and names as bytes', () => {
  using bpffs = mountBpffs();
  createMap(`${bpffs.path}/map`, { name: 'pf_list' });
  symlinkSync('nowhere', `${bpffs.path}/link`);
  for (const name of [
    'plain',
    'new\nline',
    'esc\x1b[2J',
    '\xff\xfe',
    '\xc3',
    ' ',
    '*',
    'n'.repeat(255),
    '\x01',
  ]) {
    makeDirectory(`${bpffs.path}/${name}`);
  }
  assert.deepEqual(told(list(bpffs.path)), found(bpffs.path));
  assert.equal(list(bpffs.path).length, 11);
  assert.deepEqual(list(bpffs.path, parsePath('plain')), []);
});

test('a directory of 10,000 names, more than one read holds, is listed whole and once', () => {
  using bpffs = mountBpffs();
  mkdirSync(`${bpffs.path}/many`);
  for (let n = 0; n < 10_000; n++) mkdirSync(`${bpffs.path}/many/name-${n}`);
  const entries = list(bpffs.path, parsePath('many'));
  assert.equal(new Set(entries.map(({ name }) => name)).size, 10_000);
  assert.deepEqual(told(entries), found(`${bpffs.path}/many`));
});

test('the staging directory is hidden at the root, and a directory of that name elsewhere is not', () => {
  using bpffs = mountBpffs();
  mkdirSync(`${bpffs.path}/${stagingName}`, { mode: 0o700 });
  mkdirSync(`${bpffs.path}/sub/${stagingName}`, { recursive: true });
  assert.deepEqual(
    list(bpffs.path).map(({ name }) => name),
    ['sub'],
  );
  assert.deepEqual(
    list(bpffs.path, parsePath('sub')).map(({ name }) => name),
    [stagingName],
  );
});

test('a staging directory that is not ours is shown, so that its name hides no pins', () => {
  using bpffs = mountBpffs();
  mkdirSync(`${bpffs.path}/${stagingName}`, { mode: 0o755 });
  assert.deepEqual(
    list(bpffs.path).map(({ name }) => name),
    [stagingName],
  );
});

test('the debug links that the kernel puts at a root are hidden', () => {
  using bpffs = mountBpffs();
  const all = execFileSync('find', [bpffs.path, '-mindepth', '1', '-printf', '%f\n'], { encoding: 'utf8' });
  const dotted = all.split('\n').filter((name) => name.includes('.'));
  assert.deepEqual(list(bpffs.path), []);
  assert.deepEqual(
    dotted.filter((name) => name !== 'maps.debug' && name !== 'progs.debug'),
    [],
  );
});

/** A kernel whose directories do not tell types, as file systems without d_type have it. */
class UntypedCalls extends Calls {
  override getdents64(directory: Fd, buffer: Buffer): number {
    const length = super.getdents64(directory, buffer);
    for (let at = 0; at < length; at += buffer.readUInt16LE(at + 16)) buffer.writeUInt8(0, at + 18);
    return length;
  }
}

test('where a directory does not tell types, each name is looked at', () => {
  using bpffs = mountBpffs();
  createMap(`${bpffs.path}/map`, { name: 'pf_untyped' });
  mkdirSync(`${bpffs.path}/dir`);
  symlinkSync('/etc', `${bpffs.path}/link`);
  const untyped = subject(new UntypedCalls(new FdTable()));
  assert.deepEqual(told(list(bpffs.path, '', untyped)), found(bpffs.path));
});

/**
 * A kernel whose directories have as many names as a test wants; making a million real ones takes a minute.
 */
class CrowdedCalls extends Calls {
  left = 0;

  override getdents64(_directory: Fd, buffer: Buffer): number {
    const one = record(2n, 8, Buffer.from('n'));
    const count = Math.min(this.left, Math.floor(buffer.length / one.length));
    this.left -= count;
    return buffer.fill(one, 0, count * one.length).subarray(0, count * one.length).length;
  }
}

test('a directory with as many names as a walk may visit is listed, one with more is refused', () => {
  using bpffs = mountBpffs();
  const calls = new CrowdedCalls(new FdTable());
  const crowded = subject(calls);
  using root = crowded.rootAt(bpffs.path);
  using directory = crowded.bpffs.openDirectory(root, '');
  calls.left = limits.walkNamesMax;
  assert.equal(crowded.bpffs.readDirectory(directory).length, limits.walkNamesMax);
  calls.left = limits.walkNamesMax + 1;
  assert.equal(refusalOf(() => crowded.bpffs.readDirectory(directory)).code, 'overloaded');
});

test('listing what may not be read, or is gone, is refused', () => {
  using bpffs = mountBpffs('mode=0755');
  mkdirSync(`${bpffs.path}/gone`);
  mkdirSync(`${bpffs.path}/closed`, { mode: 0o700 });
  using root = kernel.rootAt(bpffs.path);
  using gone = kernel.bpffs.openDirectory(root, parsePath('gone'));
  execFileSync('rmdir', [`${bpffs.path}/gone`]);
  assert.equal(refusalOf(() => kernel.bpffs.readDirectory(gone)).code, 'directory_not_found');
  process.seteuid?.(65534);
  try {
    const refused = refusalOf(() => kernel.bpffs.openDirectory(root, parsePath('closed')));
    assert.deepEqual([refused.code, refused.details.errno], ['permission_denied', 'EACCES']);
  } finally {
    process.seteuid?.(0);
  }
});

test('mode and owner are changed on exactly what is open, as stat(1) sees it, through any rename', () => {
  using bpffs = mountBpffs();
  createMap(`${bpffs.path}/map`, { name: 'pf_attr' });
  using root = kernel.rootAt(bpffs.path);
  using pin = kernel.bpffs.openPin(root, parsePath('map'));
  execFileSync('mv', [`${bpffs.path}/map`, `${bpffs.path}/moved`]);
  createMap(`${bpffs.path}/map`, { name: 'pf_other' });
  kernel.bpffs.chmod(pin.fd, 0o640);
  kernel.bpffs.chown(pin.fd, { uid: 1234, gid: 2 ** 32 - 2 });
  const stat = (name: string): string =>
    execFileSync('stat', ['-c', '%a %u %g', `${bpffs.path}/${name}`], { encoding: 'utf8' }).trim();
  assert.equal(stat('moved'), '640 1234 4294967294');
  assert.equal(stat('map'), '600 0 0');
  assert.equal(pinnedMap(`${bpffs.path}/moved`).name, 'pf_attr');
  const { mode, uid, gid, links } = kernel.bpffs.stat(pin.fd);
  assert.deepEqual([mode, uid, gid, links], [0o640, 1234, 4294967294, 1]);
  kernel.bpffs.chown(pin.fd, { uid: -1, gid: 7 });
  assert.equal(stat('moved'), '640 1234 7');
});

test('a mount made here is empty, only for its owner, and without set-uid, devices or programs', () => {
  using parent = mountBpffs();
  mkdirSync(`${parent.path}/new`);
  kernel.bpffs.mount(`${parent.path}/new`);
  const options = execFileSync('findmnt', ['-no', 'FSTYPE,OPTIONS', `${parent.path}/new`], {
    encoding: 'utf8',
  });
  const mode = execFileSync('stat', ['-c', '%a', `${parent.path}/new`], { encoding: 'utf8' }).trim();
  execFileSync('umount', [`${parent.path}/new`]);
  assert.match(options, /^bpf +rw,nosuid,nodev,noexec,/);
  assert.equal(mode, '1700');
});

/** A record as the kernel lays it out (include/linux/dirent.h), padded to eight bytes. */
function record(inode: bigint, type: number, name: Uint8Array): Buffer {
  const bytes = Buffer.alloc((19 + name.length + 1 + 7) & ~7);
  bytes.writeBigUInt64LE(inode, 0);
  bytes.writeUInt16LE(bytes.length, 16);
  bytes.writeUInt8(type, 18);
  bytes.set(name, 19);
  return bytes;
}

const types = new Map([
  [0, undefined],
  [1, 'other'],
  [4, 'directory'],
  [8, 'file'],
  [10, 'symlink'],
]);

test('records laid out as the kernel does are read back, and cut or garbled ones never out of bounds', () => {
  const name = fc.uint8Array({ minLength: 1, maxLength: 255 }).map((bytes) => bytes.map((byte) => byte || 1));
  const entry = fc.record({
    inode: fc.bigInt(1n, 2n ** 53n - 1n),
    type: fc.constantFrom(...types.keys()),
    name,
  });
  const cut = fc.nat(10_000);
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 30 }), cut, fc.nat(255), (entries, where, garbage) => {
      const bytes = Buffer.concat(entries.map((one) => record(one.inode, one.type, one.name)));
      const wanted = entries.map((one) => ({
        name: Buffer.from(one.name).toString('latin1'),
        inode: Number(one.inode),
        type: types.get(one.type),
      }));
      assert.deepEqual(parseEntries(bytes), wanted);
      fc.pre(bytes.length > 0);
      const garbled = Buffer.from(bytes.subarray(0, where % (bytes.length + 1)));
      if (garbled.length > 0) garbled[where % garbled.length] = garbage;
      try {
        for (const { name: read } of parseEntries(garbled)) assert.ok(read.length <= garbled.length);
      } catch (error) {
        assert.ok(error instanceof RangeError);
      }
    }),
    { seed, numRuns: 2000 },
  );
});
