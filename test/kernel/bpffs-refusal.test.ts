import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, linkSync, mkdirSync, symlinkSync } from 'node:fs';
import test from 'node:test';
import { getObject, openObjectById, pinObject } from '../../src/kernel/bpf/objects.ts';
import { type Attempt, refusal } from '../../src/kernel/bpffs/refusal.ts';
import { rename } from '../../src/kernel/sys/calls.ts';
import { errnoName, SystemCallError } from '../../src/kernel/sys/errno.ts';
import type { Fd } from '../../src/kernel/sys/fd.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { createMap } from '../support/bpftool.ts';
import { disposable, forFile } from '../support/disposal.ts';
import { start } from '../support/process.ts';
import { repoRoot } from '../support/repo-root.ts';
import { tempDir } from '../support/temp-dir.ts';
import { refusalOf, subject } from './bpffs-fixture.ts';

const kernel = subject();
const { calls, fds } = kernel;
const mounted = forFile(mountBpffs());
const other = forFile(mountBpffs());
const at = (path: string): string => `${mounted.path}/${path}`;
const mapId = createMap(at('map'), { name: 'pf_refusal' }).id;
createMap(at('second'), { name: 'pf_second' });
mkdirSync(at('dir/inner'), { recursive: true });
mkdirSync(at('busy'));
createMap(at('dir/map'), { name: 'pf_in_dir' });
symlinkSync('none', at('dangling'));
symlinkSync('loop', at('loop'));
mkdirSync(`${mounted.path}/sticky`);
execFileSync('chmod', ['1777', at('sticky'), mounted.path]);
createMap(at('sticky/map'), { name: 'pf_sticky' });
createMap(at('public'), { name: 'pf_public' });

/** What a client's request can run into: the attempt, how it is provoked, and what api.md promises for it. */
type Row = readonly [
  attempt: Attempt,
  provoked: string,
  errno: string,
  code: string,
  run: (root: Fd) => unknown,
];

function holdMap<Result>(use: (map: Fd) => Result): Result {
  using map = openObjectById('map', mapId, fds);
  return use(map);
}

function pinAt(path: string): void {
  holdMap((map) => pinObject(map, path));
}

const place = (directory: Fd, name: string): { readonly directory: Fd; readonly name: string } => ({
  directory,
  name,
});
const long = 'n'.repeat(256);

const rows: readonly Row[] = [
  ['pin', 'at a pin', 'EEXIST', 'pin_exists', () => pinAt(at('map'))],
  ['pin', 'at a directory', 'EEXIST', 'pin_exists', () => pinAt(at('dir'))],
  ['pin', 'at a dangling symbolic link', 'EEXIST', 'pin_exists', () => pinAt(at('dangling'))],
  ['pin', 'at a name with a dot', 'EPERM', 'permission_denied', () => pinAt(at('x.y'))],
  ['pin', 'in a directory that is not there', 'ENOENT', 'parent_not_found', () => pinAt(at('none/x'))],
  ['pin', 'below a pin', 'ENOTDIR', 'not_a_directory', () => pinAt(at('map/x'))],
  ['pin', 'outside a bpffs', 'EPERM', 'permission_denied', () => pinAt('/tmp/pf-outside')],
  ['pin', 'at a name of 256 bytes', 'ENAMETOOLONG', 'bad_path', () => pinAt(at(long))],
  ['pin', 'through links that go in a circle', 'ELOOP', 'symlink', () => pinAt(at('loop/x'))],
  ['pin', 'of what is no BPF object', 'EINVAL', 'not_pinnable', (root) => pinObject(root, at('fresh'))],
  ['get', 'of nothing', 'ENOENT', 'pin_not_found', () => getObject(at('none'), 'read-write', fds)],
  ['get', 'of a directory', 'EACCES', 'permission_denied', () => getObject(at('dir'), 'read-write', fds)],
  ['get', 'of /etc/passwd', 'EACCES', 'permission_denied', () => getObject('/etc/passwd', 'read-write', fds)],
  ['get', 'below a pin', 'ENOTDIR', 'not_a_directory', () => getObject(at('map/x'), 'read-write', fds)],
  ['get', 'of links in a circle', 'ELOOP', 'symlink', () => getObject(at('loop'), 'read-write', fds)],
  ['unpin', 'of nothing', 'ENOENT', 'pin_not_found', (root) => calls.unlinkat(place(root, 'none'))],
  ['unpin', 'of a directory', 'EISDIR', 'is_a_directory', (root) => calls.unlinkat(place(root, 'dir'))],
  ['unpin', 'below a pin', 'ENOTDIR', 'not_a_directory', (root) => calls.unlinkat(place(root, 'map/x'))],
  [
    'unpin',
    'of a name of 256 bytes',
    'ENAMETOOLONG',
    'bad_path',
    (root) => calls.unlinkat(place(root, long)),
  ],
  [
    ...(['rename', 'onto a pin, with NOREPLACE', 'EEXIST', 'pin_exists'] as const),
    (root) => calls.renameat2(place(root, 'map'), place(root, 'second'), rename.NOREPLACE),
  ],
  [
    ...(['rename', 'of nothing', 'ENOENT', 'pin_not_found'] as const),
    (root) => calls.renameat2(place(root, 'none'), place(root, 'x'), 0),
  ],
  [
    ...(['rename', 'of a pin onto a directory', 'EISDIR', 'is_a_directory'] as const),
    (root) => calls.renameat2(place(root, 'map'), place(root, 'dir'), 0),
  ],
  [
    ...(['rename', 'of a directory onto a pin', 'ENOTDIR', 'not_a_directory'] as const),
    (root) => calls.renameat2(place(root, 'dir'), place(root, 'map'), 0),
  ],
  [
    ...(['rename', 'of a directory into itself', 'EINVAL', 'invalid_input'] as const),
    (root) => calls.renameat2(place(root, 'dir'), place(root, 'dir/inner/x'), 0),
  ],
  [
    ...(['rename', 'of a directory onto one with names', 'ENOTEMPTY', 'directory_not_empty'] as const),
    (root) => calls.renameat2(place(root, 'sticky'), place(root, 'dir'), 0),
  ],
  [
    ...(['rename', 'onto a name with a dot', 'EPERM', 'permission_denied'] as const),
    (root) => calls.renameat2(place(root, 'map'), place(root, 'a.b'), 0),
  ],
  [
    ...(['rename', 'into another bpffs', 'EXDEV', 'crosses_mount'] as const),
    (root) => {
      using elsewhere = kernel.rootAt(other.path);
      calls.renameat2(place(root, 'map'), place(elsewhere.directory, 'map'), 0);
    },
  ],
  [
    'make_directory',
    'at a pin',
    'EEXIST',
    'already_exists',
    (root) => calls.mkdirat(place(root, 'map'), 0o755),
  ],
  [
    'make_directory',
    'at a link',
    'EEXIST',
    'already_exists',
    (root) => calls.mkdirat(place(root, 'loop'), 0o755),
  ],
  [
    ...(['make_directory', 'in none', 'ENOENT', 'parent_not_found'] as const),
    (root) => calls.mkdirat(place(root, 'none/x'), 0o755),
  ],
  [
    ...(['make_directory', 'with a dot', 'EPERM', 'permission_denied'] as const),
    (root) => calls.mkdirat(place(root, 'a.b'), 0o755),
  ],
  [
    'remove_directory',
    'with names',
    'ENOTEMPTY',
    'directory_not_empty',
    (root) => calls.rmdirat(place(root, 'dir')),
  ],
  ['remove_directory', 'of a pin', 'ENOTDIR', 'not_a_directory', (root) => calls.rmdirat(place(root, 'map'))],
  [
    'remove_directory',
    'of none',
    'ENOENT',
    'directory_not_found',
    (root) => calls.rmdirat(place(root, 'none')),
  ],
];

/** Runs a row's attempt and shows that its errno and code are the expected ones. */
function expectRefusal([attempt, provoked, errno, code, run]: Row): void {
  using root = kernel.rootAt(mounted.path);
  const refused = refusalOf(() => {
    try {
      run(root.directory);
    } catch (error) {
      throw refusal(error, { attempt, path: 'tc/x\n', details: { operation_id: 'op-1' } });
    }
  });
  assert.deepEqual([refused.details.errno, refused.code], [errno, code], `${attempt} ${provoked}`);
  assert.deepEqual([refused.details.path, refused.details.operation_id], ['tc/x\n', 'op-1']);
  assert.match(refused.message, /^Cannot [a-z ]+ "tc\/x\\x0a": [^.].*[^.]\.$/);
  assert.ok(refused.cause instanceof SystemCallError);
}

test('each way in which a client can provoke the kernel has its code and errno', () => {
  for (const row of rows) expectRefusal(row);
  assert.equal(existsSync('/tmp/pf-outside'), false);
  assert.deepEqual(fds.transient(), []);
});

test('a mount point can be neither removed, renamed nor unpinned', () => {
  execFileSync('mount', ['-t', 'tmpfs', 'pf-busy', at('busy')]);
  using _busy = disposable(() => execFileSync('umount', ['-l', at('busy')]));
  expectRefusal([
    ...(['remove_directory', 'of a mount point', 'EBUSY', 'crosses_mount'] as const),
    (root) => calls.rmdirat(place(root, 'busy')),
  ]);
  expectRefusal([
    ...(['rename', 'of a mount point', 'EBUSY', 'crosses_mount'] as const),
    (root) => calls.renameat2(place(root, 'busy'), place(root, 'x'), 0),
  ]);
});

test('on a read-only bpffs every change is refused as read-only', () => {
  using bpffs = mountBpffs();
  createMap(`${bpffs.path}/map`, { name: 'pf_ro' });
  mkdirSync(`${bpffs.path}/dir`);
  execFileSync('mount', ['-o', 'remount,ro', bpffs.path]);
  using root = kernel.rootAt(bpffs.path);
  const readOnly = (attempt: Attempt, run: () => unknown): void =>
    expectRefusal([attempt, 'read-only', 'EROFS', 'read_only', run]);
  const { directory } = root;
  readOnly('pin', () => pinAt(`${bpffs.path}/fresh`));
  readOnly('get', () => getObject(`${bpffs.path}/map`, 'read-write', fds));
  readOnly('unpin', () => calls.unlinkat(place(directory, 'map')));
  readOnly('rename', () => calls.renameat2(place(directory, 'map'), place(directory, 'x'), 0));
  readOnly('make_directory', () => calls.mkdirat(place(directory, 'x'), 0o755));
  readOnly('remove_directory', () => calls.rmdirat(place(directory, 'dir')));
  using pin = kernel.bpffs.openName(root, place(directory, 'map')) ?? assert.fail();
  assert.equal(refusalOf(() => kernel.bpffs.chmod(pin.fd, 0o644)).code, 'read_only');
  assert.equal(refusalOf(() => kernel.bpffs.chown(pin.fd, { uid: 1, gid: 1 })).code, 'read_only');
});

test('another user is told which capability would be needed', () => {
  using root = kernel.rootAt(mounted.path);
  using sticky = kernel.bpffs.openName(root, place(root.directory, 'sticky')) ?? assert.fail();
  using pin = kernel.bpffs.openName(root, place(root.directory, 'map')) ?? assert.fail();
  const refusedAs = (attempt: Attempt, run: () => unknown): readonly [string, string | undefined, string] => {
    const refused = refusalOf(() => {
      try {
        run();
      } catch (error) {
        throw refusal(error, { attempt, path: 'x' });
      }
    });
    return [refused.code, refused.details.errno, refused.message.match(/CAP_\w+/)?.[0] ?? ''];
  };
  holdMap((map) => {
    process.seteuid?.(65534);
    try {
      const denied = 'permission_denied';
      const unlink = (): void => calls.unlinkat(place(sticky.fd, 'map'));
      assert.deepEqual(refusedAs('unpin', unlink), [denied, 'EPERM', 'CAP_FOWNER']);
      const move = (): void => calls.renameat2(place(sticky.fd, 'map'), place(root.directory, 'mine'), 0);
      assert.deepEqual(refusedAs('rename', move), [denied, 'EPERM', 'CAP_FOWNER']);
      const pinInDir = (): void => pinObject(map, at('dir/x'));
      assert.deepEqual(refusedAs('pin', pinInDir), [denied, 'EACCES', 'CAP_DAC_OVERRIDE']);
      const get = (): Fd => getObject(at('public'), 'read-write', fds);
      assert.deepEqual(refusedAs('get', get), [denied, 'EACCES', 'CAP_DAC_OVERRIDE']);
      const makeInDir = (): void => calls.mkdirat(place(root.directory, 'dir/x'), 0o755);
      assert.deepEqual(refusedAs('make_directory', makeInDir), [denied, 'EACCES', 'CAP_DAC_OVERRIDE']);
      assert.match(refusalOf(() => kernel.bpffs.chmod(pin.fd, 0o644)).message, /CAP_FOWNER/);
      assert.match(refusalOf(() => kernel.bpffs.chown(pin.fd, { uid: 65534, gid: 0 })).message, /CAP_CHOWN/);
      assert.match(refusalOf(() => kernel.bpffs.mount(at('dir'))).message, /CAP_SYS_ADMIN/);
    } finally {
      process.seteuid?.(0);
    }
  });
});

test('a hard link to another bpffs and a mount where nothing is are refused by their names', () => {
  assert.throws(
    () => linkSync(at('map'), `${other.path}/map`),
    (error) => {
      const refused = refusal(error, { attempt: 'rename', path: 'map' });
      return isPinfoldError(refused, 'crosses_mount');
    },
  );
  using dir = tempDir('none');
  assert.equal(refusalOf(() => kernel.bpffs.mount(`${dir.path}/none`)).code, 'directory_not_found');
});

test('what nobody foresaw is handed back as it came, never dressed up', () => {
  const strange = new SystemCallError('openat2', errnoName(5));
  assert.equal(refusal(strange, { attempt: 'resolve', path: 'x' }), strange);
  const mistake = new TypeError('a mistake');
  assert.equal(refusal(mistake, { attempt: 'pin', path: 'x' }), mistake);
  assert.equal(refusal('text', { attempt: 'pin', path: 'x' }), 'text');
});

test('running out of descriptors is an overload, not a missing pin or mount', async () => {
  const script = `
    import { subject } from './test/kernel/bpffs-fixture.ts';
    import { openSync } from 'node:fs';
    const kernel = subject();
    const mount = kernel.mountAt(process.argv[1]);
    try { for (;;) openSync('/dev/null'); } catch {}
    try { kernel.bpffs.openRoot(mount); } catch (error) { console.log(error.code, error.details.errno); }
  `;
  const node = `ulimit -n 128; exec "$0" --import tsx --input-type=module -e "$1" "$2"`;
  using child = start('sh', ['-c', node, process.execPath, script, mounted.path], { cwd: repoRoot });
  assert.equal(await child.line(/EMFILE/), 'overloaded EMFILE');
  await child.exit();
});
