import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync, statSync } from 'node:fs';
import test from 'node:test';
import {
  boundNamespaces,
  eachBoundNamespace,
  readOwnMounts,
} from '../../src/kernel/bpffs/mount-namespaces.ts';
import { kernelBtfPath, readKernelBtf } from '../../src/kernel/btf/kernel-btf.ts';
import { KernelHolders } from '../../src/kernel/holder/kernel-holders.ts';
import { openHolderIterators } from '../../src/kernel/holder/open-holders.ts';
import { parseCgroupOfAny } from '../../src/kernel/holder/processes.ts';
import { OwnObjects } from '../../src/kernel/iter/own.ts';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import type { HolderFacts, ObjectKey } from '../../src/model/holder/facts.ts';
import { mountBpffs, unmountAll } from '../support/bpffs.ts';
import { disposable, forFile } from '../support/disposal.ts';
import { hold } from '../support/hold.ts';
import { openBoundNamespace } from '../support/mount-ns.ts';
import { tempDir } from '../support/temp-dir.ts';
import { untilPasses } from '../support/until.ts';

const kernel = forFile(openKernel());

/** The facts about what holds one map. */
function factsOf(id: number): HolderFacts {
  const facts = kernel.holders.read({ focus: { kind: 'map', id } });
  assert.deepEqual(kernel.fds.transient(), []);
  return facts;
}

test('an instance that another mount lies over is read by a descriptor on its root', async () => {
  using bpffs = mountBpffs();
  execFileSync('mkdir', [`${bpffs.path}/dir`]);
  using maker = await hold('map:hash:4:8:1:pf_shadowed:0', `pin:0:${bpffs.path}/dir/pf_shadowed`, 'close:0');
  const id = maker.objects[0]?.id ?? 0;
  using below = await hold(`open:${bpffs.path}/dir`);
  using witness = await hold(`open:${bpffs.path}`);
  execFileSync('mount', ['-t', 'bpf', 'pf-over', bpffs.path]);
  const seen = factsOf(id);
  const [pin] = seen.pins;
  assert.deepEqual([pin?.path, pin?.object], ['dir/pf_shadowed', { kind: 'map', id }]);
  assert.equal(seen.filesystems.find(({ mount }) => mount === pin?.mount)?.state, 'shadowed');
  assert.ok(!seen.unavailable.some(({ what }) => what === `pins of bpffs ${pin?.mount}`));
  await witness.release();
  assert.equal(below.objects.length, 1, 'from a directory below the way up leads into the other mount');
  const hidden = factsOf(id);
  assert.deepEqual(hidden.pins, []);
  const lack = hidden.unavailable.find(({ what }) => what === `pins of bpffs ${pin?.mount}`);
  assert.match(lack?.reason ?? '', /another mount lies over it/);
});

test('pins in a mount namespace that only a mount keeps are found, and this thread is back', async () => {
  using dir = tempDir('bound');
  execFileSync('mount', ['-t', 'tmpfs', 'pf-bound', dir.path]);
  using _ = disposable(() => unmountAll(dir.path));
  execFileSync('mount', ['--make-private', dir.path]);
  const at = `${dir.path}/namespace`;
  const inside = await openBoundNamespace(at);
  let namespace = 0;
  let id = 0;
  try {
    using maker = await hold('map:hash:4:8:1:pf_bound:0', `pin:0:${inside.bpffs}/pf_bound`, 'close:0');
    id = maker.objects[0]?.id ?? 0;
    namespace = statSync(`/proc/${inside.pid}/ns/mnt`).ino;
  } finally {
    inside[Symbol.dispose]();
  }
  const home = ['root', 'cwd', 'ns/mnt'].map((name) => readlinkSync(`/proc/thread-self/${name}`));
  await untilPasses(() => {
    const { pins, filesystems, unavailable } = factsOf(id);
    assert.deepEqual(
      pins.map(({ path }) => path),
      ['pf_bound'],
    );
    const paths = [{ path: '/sys/fs/bpf', namespace, boundAt: at }];
    assert.deepEqual(filesystems.find(({ mount }) => mount === pins[0]?.mount)?.paths, paths);
    assert.deepEqual(
      unavailable.filter(({ what }) => what.includes(`namespace ${namespace}`)),
      [],
    );
  });
  const now = ['root', 'cwd', 'ns/mnt'].map((name) => readlinkSync(`/proc/thread-self/${name}`));
  assert.deepEqual(now, home);
  const bound = boundNamespaces(readOwnMounts());
  assert.equal(bound.get(namespace), at);
  const found: number[] = [];
  eachBoundNamespace(kernel.calls, bound, ({ inode }) => found.push(inode) > 0);
  assert.ok(found.includes(namespace), 'kernels that do not list namespaces show those that are bound here');
});

test('pins whose inode is known are not opened again, and others are', async () => {
  using bpffs = mountBpffs();
  using holder = await hold(
    'map:hash:4:8:1:pf_known:0',
    `pin:0:${bpffs.path}/one`,
    `pin:0:${bpffs.path}/two`,
  );
  const id = holder.objects[0]?.id ?? 0;
  const { pins } = factsOf(id);
  assert.deepEqual(pins.map(({ path }) => path).sort(), ['one', 'two']);
  const known = new Map<string, ObjectKey>();
  for (const { path, mount, inode, object } of pins)
    if (path === 'one') known.set(`${mount} ${inode}`, object);
  const asked: string[] = [];
  const again = kernel.holders.read({
    focus: { kind: 'map', id },
    knownPin: ({ mount, inode }) => {
      asked.push(`${mount} ${inode}`);
      return known.get(`${mount} ${inode}`);
    },
  });
  assert.deepEqual(again.pins, pins);
  for (const { mount, inode } of pins) assert.ok(asked.includes(`${mount} ${inode}`));
});

test('in a pid namespace /proc tells who has what open, and what is lost is said', async () => {
  const { calls, objects, bpffs, cgroups } = kernel;
  const kernelBtf = readKernelBtf(kernelBtfPath);
  using iterators = openHolderIterators(calls, kernelBtf, new OwnObjects());
  const sources = { calls, objects, bpffs, cgroups, kernelBtf, seesAllProcesses: false, ...iterators };
  using holder = await hold('map:array:4:8:1:pf_inside:1024', 'dup:0', 'map:hash:4:8:1:pf_other:0');
  const [map, , other] = holder.objects.map(({ id }) => id);
  const again = await holder.tell(`id:map:${map}`);
  const facts = new KernelHolders(sources).read({ focus: { kind: 'map', id: map ?? 0 } });
  const fds = facts.files.map(({ descriptors }) => descriptors.map(({ fd }) => fd));
  assert.deepEqual(fds, [[holder.objects[0]?.fd, holder.objects[1]?.fd], [again.fd]]);
  assert.ok(facts.files.every(({ object }) => object.id === map && object.id !== other));
  // No later reading shows it either, so that none is made for it.
  const lost = facts.unavailable.flatMap(({ what, isLasting }) => (isLasting ? [what] : []));
  assert.ok(lost.includes('programs of open iterators, perf events and sockets'));
  assert.ok(lost.includes('mappings of maps'));
  for (const { reason } of facts.unavailable) assert.doesNotMatch(reason, /\.$/);
});

test('every process that facts name is told with its start, name and control group', async () => {
  using holder = await hold('map:hash:4:8:1:pf_process:0');
  const { processes } = factsOf(holder.objects[0]?.id ?? 0);
  const stat = readFileSync(`/proc/${holder.pid}/stat`, 'utf8');
  const process = processes.get(holder.pid);
  assert.equal(process?.comm, 'hold');
  assert.equal(process?.startTime, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]));
  const cgroups = readFileSync(`/proc/${holder.pid}/cgroup`, 'utf8');
  assert.ok(
    cgroups.split('\n').some((line) => line.endsWith(`:${process?.cgroup}`)),
    process?.cgroup,
  );
});

test('of several control groups that is told which names most, and of those the unified one', () => {
  assert.equal(
    parseCgroupOfAny('12:cpu:/a\n1:name=systemd:/b\n0::/system.slice/x.service\n'),
    '/system.slice/x.service',
  );
  assert.equal(
    parseCgroupOfAny('12:cpu:/\n11:memory:/docker/abc:def\n1:name=systemd:/b\n0::/\n'),
    '/docker/abc:def',
  );
  assert.equal(parseCgroupOfAny('4:memory:/\n0::/\n'), '/');
  // Docker on a machine with both versions, and one of systemd with version 1 alone.
  const container = `/docker/${'3f2a'.repeat(16)}`;
  const inBoth = `12:devices:${container}\n1:name=systemd:/a\n0::/system.slice/containerd.service\n`;
  assert.equal(parseCgroupOfAny(inBoth), container);
  const session = '/user.slice/user-7.slice/session-3.scope';
  const ofSystemd = `9:devices:/user.slice\n5:cpu:/\n1:name=systemd:${session}\n`;
  assert.equal(parseCgroupOfAny(ofSystemd), session);
  assert.equal(parseCgroupOfAny(''), '/');
});
