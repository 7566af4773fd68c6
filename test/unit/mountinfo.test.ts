import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { mountTree } from '../../src/kernel/bpffs/mount-tree.ts';
import { type MountInfo, parseMountInfo, unescapeOctal } from '../../src/kernel/bpffs/mountinfo.ts';
import { testSeed } from '../support/seed.ts';

const seed = testSeed();

test('a line with optional fields, and one without, are read as proc.rst describes them', () => {
  const text =
    '36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue\n' +
    '47 46 0:39 / /sys/fs/bpf ro,nosuid - bpf bpf rw,mode=700\n';
  assert.deepEqual(parseMountInfo(text), [
    { id: 36, parent: 35, device: '98:0', root: '/mnt1', path: '/mnt2', type: 'ext3', readOnly: false },
    { id: 47, parent: 46, device: '0:39', root: '/', path: '/sys/fs/bpf', type: 'bpf', readOnly: true },
  ]);
});

test('a read-only superblock is read-only at a path that is not', () => {
  const [mount] = parseMountInfo('1 0 0:4 / /a rw,relatime - bpf none ro,mode=700');
  assert.equal(mount?.readOnly, true);
});

test('an option that only begins with ro is not read-only', () => {
  const [mount] = parseMountInfo('1 0 0:4 / /a rw,rootcontext=x - bpf ro rw');
  assert.equal(mount?.readOnly, false);
});

test('octal escapes become the bytes they stand for, and nothing else changes', () => {
  assert.equal(unescapeOctal('a\\040b\\011c\\012d\\134e\\043f'), 'a b\tc\nd\\e#f');
  assert.equal(unescapeOctal('\\377\\9\\04'), '\xff\\9\\04');
  assert.equal(unescapeOctal('\\134040'), '\\040');
});

/** As the kernel writes it: seq_path with the characters space, tab, newline, backslash and # escaped. */
function mangle(path: string): string {
  return path.replace(/[ \t\n\\#]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

const byteString = fc
  .uint8Array({ maxLength: 40 })
  .map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0)).toString('latin1'));

const mountFields = {
  id: fc.nat(),
  parent: fc.nat(),
  device: fc.tuple(fc.nat(4095), fc.nat(1 << 20)).map(([major, minor]) => `${major}:${minor}`),
  root: byteString.map((rest) => `/${rest}`),
  path: byteString.map((rest) => `/${rest}`),
  type: fc.constantFrom('bpf', 'tmpfs', 'fuse.sshfs'),
  readOnly: fc.boolean(),
};
const mountInfo: fc.Arbitrary<MountInfo> = fc.record(mountFields, { noNullPrototype: true });

test('whatever is written as the kernel writes it is read back the same', () => {
  const lists = fc.array(fc.tuple(mountInfo, fc.array(fc.constantFrom('shared:1', 'master:2'))));
  fc.assert(
    fc.property(lists, (entries) => {
      const lines = entries.map(([mount, tags]) => {
        const options = mount.readOnly ? 'ro' : 'rw';
        const head = [mount.id, mount.parent, mount.device, mangle(mount.root), mangle(mount.path), options];
        return [...head, ...tags, '-', mount.type, 'none', 'rw'].join(' ');
      });
      assert.deepEqual(
        parseMountInfo(lines.join('\n')),
        entries.map(([mount]) => mount),
      );
    }),
    { seed, numRuns: 2000 },
  );
});

test('garbage is left out, and never makes the parser fail', () => {
  const pieces = fc.constantFrom(
    '-',
    ' - ',
    '0:1',
    '12',
    '/',
    '\\777',
    'rw',
    ' ',
    '\n',
    'bpf',
    '\xff',
    'x:y',
  );
  const text = fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(text, (garbage) => {
      const mounts = parseMountInfo(garbage);
      const { isShadowed } = mountTree(mounts);
      for (const mount of mounts) {
        assert.ok(Number.isInteger(mount.id) && /^\d+:\d+$/.test(mount.device));
        assert.equal(typeof isShadowed(mount), 'boolean');
      }
    }),
    { seed, numRuns: 5000 },
  );
});

function tree(
  ...mounts: readonly (readonly [id: number, parent: number, path: string])[]
): (id: number) => boolean {
  const infos = mounts.map(([id, parent, path]) => ({
    ...{ id, parent, path, device: `0:${id}`, root: '/', type: 'bpf', readOnly: false },
  }));
  const { isShadowed } = mountTree(infos);
  return (id) => isShadowed(infos.find((mount) => mount.id === id) ?? assert.fail());
}

test('a mount is shadowed by one stacked on it, over a directory above it, or over the whole root', () => {
  const stacked = tree([1, 0, '/'], [2, 1, '/a/b'], [3, 2, '/a/b']);
  assert.deepEqual([stacked(1), stacked(2), stacked(3)], [false, true, false]);
  const above = tree([1, 0, '/'], [2, 1, '/a/b'], [3, 1, '/a']);
  assert.deepEqual([above(2), above(3)], [true, false]);
  const root = tree([1, 0, '/'], [2, 1, '/a'], [3, 1, '/']);
  assert.deepEqual([root(2), root(3)], [true, false]);
});

test('a neighbour whose name only begins alike shadows nothing, nor does a mount inside', () => {
  const isShadowed = tree([1, 0, '/'], [2, 1, '/ab'], [3, 1, '/a'], [4, 2, '/ab/c']);
  assert.deepEqual([isShadowed(2), isShadowed(3), isShadowed(4)], [false, false, false]);
});

test('parent ids that go in a circle end the search', () => {
  const isShadowed = tree([1, 2, '/a'], [2, 1, '/a'], [3, 3, '/']);
  assert.deepEqual([isShadowed(3), typeof isShadowed(1)], [false, 'boolean']);
});
