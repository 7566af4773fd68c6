import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readlinkSync } from 'node:fs';
import test from 'node:test';
import type { BpffsMount } from '../../src/kernel/kernel.ts';
import { bytesOf } from '../../src/model/path.ts';
import { mountBpffs, unmountAll } from '../support/bpffs.ts';
import { compileC } from '../support/c-program.ts';
import { disposable } from '../support/disposal.ts';
import { openNamespaces } from '../support/mount-ns.ts';
import { start } from '../support/process.ts';
import { processorMs } from '../support/processor-time.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import {
  deviceOf,
  deviceText,
  leavingNothingOpen,
  makeDirectory,
  refusalOf,
  subject,
} from './bpffs-fixture.ts';

const kernel = subject();

const find = (device: string): BpffsMount | undefined =>
  kernel.bpffs.scanMounts().find((mount) => mount.id === device);

function mount(...args: readonly string[]): void {
  execFileSync('mount', args);
}

/** A directory in which a test mounts what it likes; everything goes when it is disposed. */
function mountDir(): { readonly path: string } & Disposable {
  const dir = tempDir('mounts');
  const release = disposable(() => {
    for (const name of ['upper', 'lower', 'bind', 'part']) {
      execFileSync('sh', ['-c', 'while umount -l "$0" 2>/dev/null; do :; done', `${dir.path}/${name}`]);
    }
    unmountAll(dir.path);
    dir[Symbol.dispose]();
  });
  return { path: dir.path, ...release };
}

test('an instance is found once, with the device findmnt tells, at every path it is bound to', () => {
  using bpffs = mountBpffs();
  using dir = mountDir();
  mkdirSync(`${dir.path}/bind`);
  mount('--bind', bpffs.path, `${dir.path}/bind`);
  const device = execFileSync('findmnt', ['-no', 'MAJ:MIN', bpffs.path], { encoding: 'utf8' }).trim();
  const found = leavingNothingOpen(kernel, () => kernel.bpffs.scanMounts()).filter(({ id }) => id === device);
  assert.equal(found.length, 1);
  assert.deepEqual(found[0]?.paths.map(({ path }) => path).sort(), [bpffs.path, `${dir.path}/bind`].sort());
  assert.equal(found[0]?.reachableBy, bpffs.path);
  assert.deepEqual([found[0]?.readOnly, found[0]?.shadowed], [false, false]);
  const namespace = execFileSync('stat', ['-Lc', '%i', '/proc/self/ns/mnt'], { encoding: 'utf8' });
  assert.deepEqual([...new Set(found[0]?.paths.map((path) => path.namespace))], [Number(namespace)]);
});

test('every bpffs that findmnt lists is in the scan', () => {
  using one = mountBpffs();
  using two = mountBpffs('mode=0711');
  const listed = (): string[] =>
    execFileSync('findmnt', ['-t', 'bpf', '-nro', 'MAJ:MIN'], { encoding: 'utf8' }).trim().split('\n');
  const before = listed();
  const scanned = new Set(kernel.bpffs.scanMounts().map(({ id }) => id));
  const after = new Set(listed());
  const lasting = before.filter((device) => after.has(device));
  for (const { path } of [one, two]) assert.ok(lasting.includes(deviceOf(path)));
  assert.deepEqual(
    lasting.filter((device) => !scanned.has(device)),
    [],
  );
});

test('a bpffs under another is shadowed and unreachable, until the upper one is unmounted', () => {
  using lower = mountBpffs();
  const device = deviceOf(lower.path);
  mount('-t', 'bpf', 'pf-upper', lower.path);
  const upper = find(deviceOf(lower.path));
  assert.notEqual(upper?.id, device);
  assert.deepEqual([upper?.shadowed, upper?.reachableBy], [false, lower.path]);
  const shadowed = find(device);
  assert.deepEqual([shadowed?.shadowed, shadowed?.reachableBy], [true, undefined]);
  assert.match(shadowed?.unreachableReason ?? '', /another mount lies over it/);
  assert.equal(refusalOf(() => kernel.bpffs.openRoot(shadowed ?? assert.fail())).code, 'mount_unavailable');
  execFileSync('umount', [lower.path]);
  assert.deepEqual([find(device)?.shadowed, find(device)?.reachableBy], [false, lower.path]);
});

test('a bpffs in a directory that was mounted over is shadowed, and reached where it is bound', () => {
  using dir = mountDir();
  mkdirSync(`${dir.path}/lower/inner`, { recursive: true });
  mkdirSync(`${dir.path}/bind`);
  mount('-t', 'bpf', 'pf-inner', `${dir.path}/lower/inner`);
  const device = deviceOf(`${dir.path}/lower/inner`);
  mount('-t', 'tmpfs', 'pf-over', `${dir.path}/lower`);
  assert.deepEqual([find(device)?.shadowed, find(device)?.reachableBy], [true, undefined]);
  execFileSync('umount', [`${dir.path}/lower`]);
  mount('--bind', `${dir.path}/lower/inner`, `${dir.path}/bind`);
  mount('-t', 'tmpfs', 'pf-over', `${dir.path}/lower`);
  const found = find(device);
  assert.equal(found?.reachableBy, `${dir.path}/bind`);
  assert.equal(found?.shadowed, false);
  assert.deepEqual(found?.paths.map(({ path, shadowed }) => [path.split('/').pop(), shadowed]).sort(), [
    ['bind', false],
    ['inner', true],
  ]);
  execFileSync('umount', [`${dir.path}/lower`]);
  execFileSync('umount', [`${dir.path}/lower/inner`]);
});

test('a bind of a subtree is listed as one, and is no way to the root', () => {
  using bpffs = mountBpffs();
  using dir = mountDir();
  mkdirSync(`${bpffs.path}/sub`);
  mkdirSync(`${dir.path}/part`);
  mount('--bind', `${bpffs.path}/sub`, `${dir.path}/part`);
  const device = deviceOf(bpffs.path);
  const whole = find(device);
  assert.equal(whole?.reachableBy, bpffs.path);
  assert.deepEqual(
    whole?.paths.map(({ subtree }) => subtree),
    [undefined, '/sub'],
  );
  execFileSync('umount', ['-l', bpffs.path]);
  const part = find(device);
  assert.equal(part?.reachableBy, undefined);
  assert.equal(part?.unreachableReason, 'only a part of it is mounted, by a bind mount');
  const posed = { ...(part ?? assert.fail()), reachableBy: `${dir.path}/part` };
  assert.match(refusalOf(() => kernel.bpffs.openRoot(posed)).message, /not the root of that bpffs/);
});

test('a bpffs of another namespace is reached through its process, and gone when that ends', async () => {
  const inside = await openNamespaces();
  try {
    const device = deviceOf(inside.bpffs);
    const found = leavingNothingOpen(kernel, () => find(device));
    assert.equal(found?.reachableBy, `/proc/${inside.pid}/root/sys/fs/bpf`);
    assert.deepEqual(
      found?.paths.map(({ path, pid }) => [path, pid]),
      [['/sys/fs/bpf', inside.pid]],
    );
    {
      using root = kernel.bpffs.openRoot(found);
      assert.equal(root.mount, device);
    }
    inside[Symbol.dispose]();
    await until(
      'the instance is gone',
      () => find(device),
      (mountNow) => mountNow === undefined,
    );
    assert.equal(refusalOf(() => kernel.bpffs.openRoot(found)).code, 'mount_unavailable');
  } finally {
    inside[Symbol.dispose]();
  }
});

test('a namespace is read through a process that kept its root, if an older one did not', async () => {
  using dir = tempDir('chroot');
  const script = [
    'mount -t bpf pf-bpffs /sys/fs/bpf && stat -c %d /sys/fs/bpf && mount --bind / "$0"',
    'setpriv --pdeathsig KILL sleep 600 & ',
    'echo $! && exec chroot "$0" cat',
  ].join('\n');
  using older = start('unshare', ['--mount', '--propagation', 'private', 'sh', '-ec', script, dir.path]);
  const dev = Number(await older.line(/^\d+$/));
  const younger = Number(await older.line(/^\d+$/));
  await until(
    'the older one is in its chroot',
    () => readlinkSync(`/proc/${older.pid}/root`),
    (root) => root !== '/',
  );
  // Not before it sleeps will it surely end together with the older one.
  await until(
    'the younger one sleeps',
    () => readFileSync(`/proc/${younger}/comm`, 'utf8'),
    (comm) => comm === 'sleep\n',
  );
  assert.ok(!readFileSync(`/proc/${older.pid}/mountinfo`, 'utf8').includes(' bpf '));
  const found = find(deviceText(dev));
  assert.equal(found?.reachableBy, `/proc/${younger}/root/sys/fs/bpf`);
});

test('a way that leads through a FUSE file system of another namespace is never walked', async () => {
  using dir = tempDir('fuse');
  using trap = start(compileC('fuse-trap'), [dir.path]);
  await trap.line(/^ready$/);
  const line = readFileSync(`/proc/${trap.pid}/mountinfo`, 'utf8').match(/^.* - bpf pf-trap .*$/m)?.[0];
  const found = find(line?.split(' ')[2] ?? assert.fail('no such mount'));
  assert.equal(found?.reachableBy, undefined);
  assert.equal(found?.unreachableReason, 'the way to it leads through a file system of type fuse');
  trap.end();
  await trap.exit();
});

const hostileNames = ['a b', 'new\nline', 'back\\slash', 'ha#sh', '\\040', 'esc\x1b[31m', '\xff\xfenot utf8'];

test('mount points with spaces, newlines, escapes and bytes that are not UTF-8 are read and opened', () => {
  using dir = tempDir('names');
  for (const name of hostileNames) {
    const path = `${dir.path}/${name}`;
    makeDirectory(path);
    kernel.bpffs.mount(path);
    using _mounted = disposable(() => unmountBytes(path));
    const found = find(deviceOf(path));
    assert.equal(found?.reachableBy, path);
    const [at] = found?.paths ?? [];
    const shown =
      at?.path_bytes === undefined ? bytesOf(at?.path ?? '') : Buffer.from(at.path_bytes, 'base64');
    assert.equal(shown.toString('latin1'), path);
    using root = kernel.bpffs.openRoot(found);
    assert.equal(root.openedBy, path);
  }
});

/** umount(8) of a path that is not UTF-8, which the arguments of a program started from here cannot hold. */
function unmountBytes(path: string): void {
  const octal = [...bytesOf(path)].map((byte) => `\\0${byte.toString(8).padStart(3, '0')}`).join('');
  execFileSync('sh', ['-c', 'umount -l "$(printf %b "$0")"', octal]);
}

test('a read-only superblock and a read-only bind are told apart from one that can be written', () => {
  using bpffs = mountBpffs();
  using dir = mountDir();
  mkdirSync(`${dir.path}/bind`);
  mount('--bind', bpffs.path, `${dir.path}/bind`);
  mount('-o', 'remount,bind,ro', `${dir.path}/bind`);
  const device = deviceOf(bpffs.path);
  const found = find(device) ?? assert.fail();
  assert.deepEqual([found.readOnly, found.reachableBy], [false, bpffs.path]);
  assert.deepEqual(
    found.paths.map((path) => path.read_only),
    [false, true],
  );
  {
    using viaBind = kernel.bpffs.openRoot({ ...found, reachableBy: `${dir.path}/bind` });
    assert.equal(viaBind.readOnly, true);
    using direct = kernel.bpffs.openRoot(found);
    assert.equal(direct.readOnly, false);
  }
  mount('-o', 'remount,ro', bpffs.path);
  assert.equal(find(device)?.readOnly, true);
  using root = kernel.bpffs.openRoot(found);
  assert.equal(root.readOnly, true);
});

test('processes and namespaces that end in the middle of a scan do not disturb it', async () => {
  using bpffs = mountBpffs();
  const device = deviceOf(bpffs.path);
  using churn = start('sh', ['-c', 'echo go; while :; do unshare -m true; true & done']);
  await churn.line(/^go$/);
  for (let scan = 0; scan < 200; scan++) assert.equal(find(device)?.reachableBy, bpffs.path);
  churn.kill();
  await churn.exit();
  assert.deepEqual(kernel.fds.transient(), []);
});

test('a scan of 300 more processes takes 50 ms of the processor at most', async () => {
  using crowd = start('unshare', [
    ...['--pid', '--fork', '--kill-child', 'sh', '-c'],
    'i=0; while [ $i -lt 300 ]; do sleep 600 & i=$((i+1)); done; echo ready; exec cat',
  ]);
  await crowd.line(/^ready$/);
  kernel.bpffs.scanMounts();
  const times = Array.from({ length: 10 }, () => {
    const before = processorMs();
    kernel.bpffs.scanMounts();
    return processorMs() - before;
  });
  assert.ok(Math.min(...times) < 50, `fastest of ten scans: ${Math.min(...times)} ms`);
});
