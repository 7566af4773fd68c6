import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import test from 'node:test';
import type { BpffsRoot } from '../../src/kernel/kernel.ts';
import { parsePath } from '../../src/model/path.ts';
import { type Bpffs as Mounted, mountBpffs } from '../support/bpffs.ts';
import { createMap, isAlive } from '../support/bpftool.ts';
import { start } from '../support/process.ts';
import { repoRoot } from '../support/repo-root.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { deviceOf, leavingNothingOpen, refusalOf, subject } from './bpffs-fixture.ts';

const kernel = subject();

/** Whether an open root is still where it was, in one word. */
function visible(root: BpffsRoot): string {
  try {
    kernel.bpffs.assertStillVisible(root);
    return 'visible';
  } catch {
    return refusalOf(() => kernel.bpffs.assertStillVisible(root)).code;
  }
}

function umount(path: string, ...options: readonly string[]): void {
  execFileSync('umount', [...options, path]);
}

function mountNew(path: string, type = 'bpf'): void {
  execFileSync('mount', ['-t', type, 'pf-new', path]);
}

/** What can happen to a mount while a root of it is open, and whether the root can still be trusted then. */
const faults: readonly (readonly [what: string, then: string, happen: (mounted: Mounted) => void])[] = [
  ['nothing', 'visible', () => undefined],
  ['unmounted lazily', 'mount_unavailable', ({ path }) => umount(path, '-l')],
  ['over-mounted by another bpffs', 'mount_unavailable', ({ path }) => mountNew(path)],
  ['over-mounted by tmpfs', 'mount_unavailable', ({ path }) => mountNew(path, 'tmpfs')],
  [
    'over-mounted by a part of itself',
    'mount_unavailable',
    ({ path }) => {
      mkdirSync(`${path}/part`);
      execFileSync('mount', ['--bind', `${path}/part`, path]);
    },
  ],
  [
    'unmounted and mounted anew',
    'mount_unavailable',
    ({ path }) => {
      umount(path, '-l');
      mountNew(path);
    },
  ],
  ['remounted read-only', 'visible', ({ path }) => execFileSync('mount', ['-o', 'remount,ro', path])],
  ['given another mode', 'visible', ({ path }) => execFileSync('chmod', ['0', path])],
];

for (const [what, then, happen] of faults) {
  test(`a root that was opened before its bpffs was ${what} is then: ${then}`, () => {
    using mounted = mountBpffs();
    const mount = kernel.mountAt(mounted.path);
    leavingNothingOpen(kernel, () => {
      using root = kernel.bpffs.openRoot(mount);
      assert.equal(visible(root), 'visible');
      happen(mounted);
      assert.equal(visible(root), then);
    });
  });
}

test('umount of an instance is never held up between two operations', () => {
  using mounted = mountBpffs();
  const mount = kernel.mountAt(mounted.path);
  {
    using root = kernel.bpffs.openRoot(mount);
    using _staging = kernel.bpffs.openStaging(root, true);
    assert.throws(() => execFileSync('umount', [mounted.path], { stdio: 'ignore' }));
  }
  umount(mounted.path);
  assert.equal(refusalOf(() => kernel.bpffs.openRoot(mount)).code, 'mount_unavailable');
});

test('a device number that another file system got does not pass for the old instance', () => {
  using dir = tempDir('reuse');
  for (let tries = 0; tries < 50; tries++) {
    mountNew(dir.path);
    const mount = kernel.mountAt(dir.path);
    umount(dir.path);
    mountNew(dir.path, 'tmpfs');
    const isReused = deviceOf(dir.path) === mount.id;
    const refused = refusalOf(() => kernel.bpffs.openRoot(mount));
    umount(dir.path);
    assert.equal(refused.code, 'mount_unavailable');
    assert.match(refused.message, /is not a bpffs/);
    // Somebody else on this machine may get the number first.
    if (isReused) return;
  }
  assert.fail('the kernel never gave the number to the tmpfs');
});

test('after a fault has passed, the next open works again by itself', () => {
  using mounted = mountBpffs();
  createMap(`${mounted.path}/map`, { name: 'pf_back' });
  const mount = kernel.mountAt(mounted.path);
  for (let round = 0; round < 50; round++) {
    mountNew(mounted.path);
    assert.equal(refusalOf(() => kernel.bpffs.openRoot(mount)).code, 'mount_unavailable');
    umount(mounted.path);
    using root = kernel.bpffs.openRoot(mount);
    using pin = kernel.bpffs.openPin(root, parsePath('map'));
    assert.equal(pin.type, 'file');
  }
});

test('an open pin holds its object, and lets it go when closed', async () => {
  using mounted = mountBpffs();
  const { id } = createMap(`${mounted.path}/map`, { name: 'pf_held' });
  const mount = kernel.mountAt(mounted.path);
  {
    using root = kernel.bpffs.openRoot(mount);
    using _pin = kernel.bpffs.openPin(root, parsePath('map'));
    execFileSync('rm', [`${mounted.path}/map`]);
    assert.ok(isAlive('map', id));
  }
  await until(
    'the map is freed',
    () => isAlive('map', id),
    (alive) => !alive,
  );
});

test('the parent of a path may vanish while it is open, and then takes no more names', () => {
  using mounted = mountBpffs();
  mkdirSync(`${mounted.path}/dir`);
  using root = kernel.rootAt(mounted.path);
  using parent = kernel.bpffs.openParent(root, parsePath('dir/x'));
  execFileSync('rmdir', [`${mounted.path}/dir`]);
  assert.throws(() => kernel.calls.mkdirat({ directory: parent, name: 'x' }, 0o700), { errno: 'ENOENT' });
  assert.equal(kernel.bpffs.openName(root, { directory: parent, name: 'x' }), undefined);
});

for (const errno of ['ENOSYS', 'EPERM']) {
  test(`where openat2 gives ${errno}, as an old kernel or a filter does, starting is refused`, async () => {
    const script = `
      import { subject } from './test/kernel/bpffs-fixture.ts';
      try { subject(); } catch (error) { console.log(error.code, error.details.errno, error.details.since); }
    `;
    const node = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', script];
    const inject = [
      '-f',
      '-qq',
      '-o',
      '/dev/null',
      '-e',
      'trace=openat2',
      '-e',
      `inject=openat2:error=${errno}`,
    ];
    using child = start('strace', [...inject, ...node], { cwd: repoRoot });
    assert.equal(await child.line(/not_supported/), `not_supported ${errno} 5.6`);
    await child.exit();
  });
}
