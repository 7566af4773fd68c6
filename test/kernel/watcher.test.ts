import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import test from 'node:test';
import { openWatcher, parseEvents } from '../../src/kernel/bpffs/watcher.ts';
import type { Watcher } from '../../src/kernel/kernel.ts';
import { Calls } from '../../src/kernel/sys/calls.ts';
import { FdTable } from '../../src/kernel/sys/fd.ts';
import { limits } from '../../src/model/limits.ts';
import { type PinPath, parsePath } from '../../src/model/path.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { createMap } from '../support/bpftool.ts';
import { start } from '../support/process.ts';
import { repoRoot } from '../support/repo-root.ts';
import { until } from '../support/until.ts';
import { refusalOf, subject } from './bpffs-fixture.ts';

const kernel = subject();

interface Watching extends Disposable {
  readonly watcher: Watcher;
  readonly wakes: (number | 'overflow')[];
  /** Watches a directory of a mount; its number. */
  add(mountPath: string, path?: PinPath): number;
  /** Waits until the watch has woken, and forgets all wakes. */
  woken(watch: number | 'overflow'): Promise<void>;
}

function watching(calls = kernel.calls): Watching {
  const wakes: (number | 'overflow')[] = [];
  const watcher = openWatcher(calls, (watch) => wakes.push(watch));
  return {
    watcher,
    wakes,
    add: (mountPath, path) => {
      using root = kernel.rootAt(mountPath);
      using directory = kernel.bpffs.openDirectory(root, path ?? '');
      return watcher.add(directory);
    },
    woken: async (watch) => {
      await until(
        `watch ${watch} to wake`,
        () => wakes,
        (seen) => seen.includes(watch),
      );
      wakes.length = 0;
    },
    [Symbol.dispose]: () => watcher[Symbol.dispose](),
  };
}

test('every change of the names of a directory wakes its watch, and no other', async () => {
  using bpffs = mountBpffs();
  mkdirSync(`${bpffs.path}/dir`);
  mkdirSync(`${bpffs.path}/quiet`);
  using watched = watching();
  const dir = watched.add(bpffs.path, parsePath('dir'));
  const quiet = watched.add(bpffs.path, parsePath('quiet'));
  assert.notEqual(dir, quiet);
  const at = (name: string): string => `${bpffs.path}/dir/${name}`;
  const changes: readonly (readonly [string, () => unknown])[] = [
    ['pin', () => createMap(at('map'), { name: 'pf_watch' })],
    ['chmod', () => execFileSync('chmod', ['644', at('map')])],
    ['rename', () => execFileSync('mv', [at('map'), at('moved')])],
    ['hard link', () => execFileSync('ln', [at('moved'), at('link')])],
    ['unlink', () => execFileSync('rm', [at('link')])],
    ['mkdir', () => mkdirSync(at('new'))],
    ['symbolic link', () => execFileSync('ln', ['-s', 'x', at('symbolic')])],
    ['rename away', () => execFileSync('mv', [at('moved'), `${bpffs.path}/away`])],
    ['rename back', () => execFileSync('mv', [`${bpffs.path}/away`, at('back')])],
  ];
  for (const [, change] of changes) {
    change();
    assert.ok(!watched.wakes.includes(quiet));
    await watched.woken(dir);
  }
});

test('many changes between two looks wake once', async () => {
  using bpffs = mountBpffs();
  using watched = watching();
  const watch = watched.add(bpffs.path);
  for (let n = 0; n < 500; n++) mkdirSync(`${bpffs.path}/d${n}`);
  await until('a wake', () => watched.wakes.length > 0);
  assert.deepEqual(watched.wakes, [watch]);
});

test('a watch does not hold its bpffs: it is unmounted at once, which wakes', async () => {
  using bpffs = mountBpffs();
  using watched = watching();
  const watch = watched.add(bpffs.path);
  execFileSync('umount', [bpffs.path]);
  await watched.woken(watch);
  watched.watcher.remove(watch);
});

test('a watch does not hold a lazily unmounted bpffs: it ends, and wakes, with the last user', async () => {
  using bpffs = mountBpffs();
  createMap(`${bpffs.path}/map`, { name: 'pf_lazy' });
  using watched = watching();
  const watch = watched.add(bpffs.path);
  using user = start('cat', [], { cwd: bpffs.path });
  await until('the user is inside', () => execFileSync('readlink', [`/proc/${user.pid}/cwd`]).length > 1);
  execFileSync('umount', ['-l', bpffs.path]);
  assert.equal(watched.wakes.length, 0);
  user.end();
  await user.exit();
  await watched.woken(watch);
});

test('a watch whose directory was removed can still be taken back, and the next one is another', async () => {
  using bpffs = mountBpffs();
  mkdirSync(`${bpffs.path}/gone`);
  using watched = watching();
  const watch = watched.add(bpffs.path, parsePath('gone'));
  execFileSync('rmdir', [`${bpffs.path}/gone`]);
  watched.watcher.remove(watch);
  const again = watched.add(bpffs.path);
  assert.notEqual(again, watch);
  mkdirSync(`${bpffs.path}/new`);
  await watched.woken(again);
});

test('a watch that was removed wakes no more', async () => {
  using bpffs = mountBpffs();
  mkdirSync(`${bpffs.path}/dir`);
  using watched = watching();
  const root = watched.add(bpffs.path);
  const dir = watched.add(bpffs.path, parsePath('dir'));
  watched.watcher.remove(dir);
  mkdirSync(`${bpffs.path}/dir/x`);
  mkdirSync(`${bpffs.path}/y`);
  await until('the other watch', () => watched.wakes.includes(root));
  assert.deepEqual(watched.wakes, [root]);
});

test('when the kernel drops events, the overflow is told and the loop is not held up', async () => {
  using bpffs = mountBpffs();
  using watched = watching();
  const watch = watched.add(bpffs.path);
  const queue = Number(execFileSync('cat', ['/proc/sys/fs/inotify/max_queued_events'], { encoding: 'utf8' }));
  using root = kernel.rootAt(bpffs.path);
  for (let events = 0; events <= queue + 2; events += 2) {
    const place = { directory: root.directory, name: `d${events}` };
    kernel.calls.mkdirat(place, 0o700);
    kernel.calls.rmdirat(place);
  }
  await until('the overflow', () => watched.wakes.includes('overflow'));
  await watched.woken(watch);
});

test('the last free watch can be had, one more is an overload that names the setting', async () => {
  using bpffs = mountBpffs();
  mkdirSync(`${bpffs.path}/dir`);
  const script = `
    import { mkdirSync, writeFileSync } from 'node:fs';
    import { openWatcher } from './src/kernel/bpffs/watcher.ts';
    import { subject } from './test/kernel/bpffs-fixture.ts';
    writeFileSync('/proc/sys/user/max_inotify_watches', '1');
    const kernel = subject();
    const watcher = openWatcher(kernel.calls, () => {});
    const root = kernel.rootAt(process.argv[1]);
    const parse = (path) => kernel.bpffs.openDirectory(root, path);
    watcher.add(parse('dir'));
    try { watcher.add(parse('')); } catch ({ code, details, message }) {
      console.log(code, details.errno, message);
    }
    process.exit();
  `;
  const node = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', script, bpffs.path];
  using child = start('unshare', ['--user', '--map-root-user', ...node], { cwd: repoRoot });
  const line = await child.line(/overloaded/);
  assert.match(line, /^overloaded ENOSPC .*fs\.inotify\.max_user_watches/);
  await child.exit();
});

test('a user who has no inotify instance left is told which setting to raise', async () => {
  const script = `
    import { writeFileSync } from 'node:fs';
    import { openWatcher } from './src/kernel/bpffs/watcher.ts';
    import { subject } from './test/kernel/bpffs-fixture.ts';
    writeFileSync('/proc/sys/user/max_inotify_instances', '0');
    try { openWatcher(subject().calls, () => {}); } catch (error) { console.log(error.code, error.message); }
  `;
  const node = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', script];
  using child = start('unshare', ['--user', '--map-root-user', ...node], { cwd: repoRoot });
  assert.match(await child.line(/overloaded/), /max_user_instances/);
  await child.exit();
});

/** A kernel in which watches cost nothing, so that as many as Pinfold allows itself can be had. */
class GenerousCalls extends Calls {
  #last = 0;

  override inotifyAdd(): number {
    this.#last += 1;
    return this.#last;
  }
}

test('as many watches as the limit says can be had, and not one more', () => {
  using bpffs = mountBpffs();
  using watched = watching(new GenerousCalls(new FdTable()));
  using root = kernel.rootAt(bpffs.path);
  for (let watches = 0; watches < limits.inotifyWatchesMax; watches++) watched.watcher.add(root.directory);
  assert.equal(refusalOf(() => watched.watcher.add(root.directory)).code, 'overloaded');
  watched.watcher.remove(1);
  watched.watcher.add(root.directory);
});

test('one descriptor stays while it watches, listed as one that may, and none afterwards', () => {
  using bpffs = mountBpffs();
  {
    using watched = watching();
    watched.add(bpffs.path);
    assert.deepEqual(
      kernel.fds.list().map((fd) => [fd.what, fd.lifetime]),
      [['inotify', 'kernel']],
    );
    assert.deepEqual(kernel.fds.transient(), []);
  }
  assert.deepEqual(kernel.fds.list(), []);
});

test('watching does not keep a process alive', async () => {
  const script = `
    import { openWatcher } from './src/kernel/bpffs/watcher.ts';
    import { subject } from './test/kernel/bpffs-fixture.ts';
    openWatcher(subject().calls, () => {});
    console.log('open');
  `;
  const node = ['--import', 'tsx', '--input-type=module', '-e', script];
  using child = start(process.execPath, node, { cwd: repoRoot });
  await child.line(/^open$/);
  assert.deepEqual(await child.exit(), { code: 0, signal: null });
});

test('at rest the looks of a second take at most 2 % of a core', async () => {
  using bpffs = mountBpffs();
  using watched = watching();
  watched.add(bpffs.path);
  const begin = { at: performance.now(), cpu: process.cpuUsage() };
  await until('two seconds', () => performance.now() - begin.at > 2000, Boolean, { everyMs: 500 });
  const { user, system } = process.cpuUsage(begin.cpu);
  const share = (user + system) / 1000 / (performance.now() - begin.at);
  assert.ok(share < 0.02, `${(share * 100).toFixed(2)} % of a core`);
});

test('events with and without names are told apart', () => {
  const bytes = Buffer.alloc(16 + 16 + 16);
  bytes.writeInt32LE(7, 0);
  bytes.writeUInt32LE(0x100, 4);
  bytes.writeUInt32LE(16, 12);
  bytes.write('name', 16);
  bytes.writeInt32LE(-1, 32);
  bytes.writeUInt32LE(0x4000, 36);
  assert.deepEqual(parseEvents(bytes), [
    { watch: 7, mask: 0x100 },
    { watch: -1, mask: 0x4000 },
  ]);
});
