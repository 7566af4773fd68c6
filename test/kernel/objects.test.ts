import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import test from 'node:test';
import { BpfObjects } from '../../src/kernel/object/objects.ts';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import { AT_FDCWD, open } from '../../src/kernel/sys/calls.ts';
import type { Fd } from '../../src/kernel/sys/fd.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import type { ObjectKind } from '../../src/model/kind.ts';
import type { LinkInfo } from '../../src/model/schema/link-info.ts';
import type { MapInfo } from '../../src/model/schema/map-info.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { bpftool, createMap, isAlive, pinnedMap } from '../support/bpftool.ts';
import { compileC } from '../support/c-program.ts';
import { disposable, forFile } from '../support/disposal.ts';
import { hold } from '../support/hold.ts';
import { bpfFds } from '../support/leaks.ts';
import { makeObjects } from '../support/make-objects.ts';
import { start } from '../support/process.ts';
import { until } from '../support/until.ts';

const kernel = forFile(openKernel());
const { objects } = kernel;

function describe(kind: 'map', id: number): MapInfo;
function describe(kind: 'link', id: number): LinkInfo;
function describe(kind: ObjectKind, id: number) {
  const info = objects.describe(kind, id)?.info;
  assert.equal(info?.kind, kind);
  return info;
}

/** Opens a name as the resolver does, without walking safely: the test owns the whole tree. */
function openPath(path: string): Fd {
  return kernel.calls.openat2(
    { directory: AT_FDCWD, name: path },
    { flags: open.PATH | open.NOFOLLOW, resolve: 0 },
    path,
  );
}

/** A cgroup of the test's own, in the unified hierarchy wherever that is mounted. */
function makeCgroup(): Disposable & { readonly path: string } {
  const unified = '/sys/fs/cgroup/unified';
  const path = `${existsSync(unified) ? unified : '/sys/fs/cgroup'}/pf-gone-${process.pid}`;
  mkdirSync(path);
  return { path, ...disposable(() => rmdirSync(path)) };
}

test('links agree with what the kernel prints in fdinfo of the process that holds them', async () => {
  using zoo = await makeObjects();
  const numbers = [
    'netns_ino',
    'ifindex',
    'map_id',
    'pf',
    'hooknum',
    'priority',
    'prog_id',
    'event_type',
  ] as const;
  const texts = ['tp_name', 'target_name', 'cgroup_id', 'prog_tag'] as const;
  let compared = 0;
  for (const [fd, target] of bpfFds(zoo.pid)) {
    if (!target.endsWith('link')) continue;
    const printed = readFileSync(`/proc/${zoo.pid}/fdinfo/${fd}`, 'utf8');
    const told = (key: string) => new RegExp(`\\b${key}:\\s*(\\S+)`).exec(printed)?.[1];
    const link = describe('link', Number(told('link_id')));
    for (const member of numbers) {
      const key = member === 'priority' ? 'prio' : member === 'event_type' ? '\\ntype' : member;
      if (member === 'event_type' && link.type !== 'perf_event') continue;
      assert.equal(
        link[member],
        told(key) === undefined ? undefined : Number(told(key)),
        `${link.type} ${member}`,
      );
    }
    for (const member of texts) assert.equal(link[member], told(member), `${link.type} ${member}`);
    compared++;
  }
  assert.equal(compared, zoo.made.filter((made) => made.kind === 'link').length);
});

test('links on probes and tracepoints tell the file, places and cookies of their making', async () => {
  using child = start(compileC('probes'));
  await child.line(/^ready$/);
  const [uretprobe, tracepoint, multi] = child.lines.map((line) => JSON.parse(line.replace('ready', 'null')));
  const probe = describe('link', uretprobe.id);
  assert.deepEqual(
    [probe.type, probe.perf_type, probe.file_name, probe.offset, probe.cookie],
    ['perf_event', 'uretprobe', uretprobe.path, uretprobe.offset, '5'],
  );
  const trace = describe('link', tracepoint.id);
  assert.deepEqual([trace.perf_type, trace.tp_name, trace.cookie], ['tracepoint', 'task_rename', '6']);
  const many = describe('link', multi.id);
  assert.deepEqual([many.type, many.path, many.count, many.pid], ['uprobe_multi', multi.path, 2, multi.pid]);
  assert.deepEqual(many.offsets, [String(multi.offset), String(multi.offset + 1)]);
  assert.deepEqual(many.cookies, ['7', '18446744073709551615']);
});

test('a prog_array tells who owns it and a frozen map that it is frozen, as bpftool says too', async () => {
  using holder = await hold('map:prog_array:4:4:2:pf_jumps:0', 'prog:xdp:pf_owner', 'put:0:1:1');
  using frozen = await hold('map:array:4:8:1:pf_frozen:0', 'freeze:0');
  const [jumps, still] = [holder.objects[0]?.id ?? 0, frozen.objects[0]?.id ?? 0];
  const shown = bpftool<Record<string, unknown>>('map', 'show', 'id', String(jumps));
  const { owner_prog_type, owner_jited, frozen: isFrozen } = describe('map', jumps);
  assert.deepEqual(
    { owner_prog_type, owner_jited, isFrozen },
    {
      owner_prog_type: shown['owner_prog_type'],
      owner_jited: shown['owner_jited'],
      isFrozen: false,
    },
  );
  assert.equal(describe('map', still).frozen, true);
});

test('a program lists the maps it uses', async () => {
  using holder = await hold('map:hash:4:8:16:pf_used:0', 'prog:xdp:pf_user:0');
  const [map, program] = holder.objects.map(({ id }) => id);
  const info = objects.describe('program', program ?? 0)?.info;
  assert.deepEqual(info?.kind === 'program' && info.map_ids, [map]);
});

test('a link whose network namespace, device or cgroup is gone says that it is not attached', async () => {
  using bpffs = mountBpffs();
  using zoo = await makeObjects(bpffs.path);
  using cgroup = makeCgroup();
  using holder = await hold('prog:cgroup_skb:pf_egress', `link:cgroup:0:${cgroup.path}`);
  const ids = zoo.made.filter((made) => ['netns', 'xdp', 'tcx'].includes(made.type) && made.kind === 'link');
  const links = [...ids.map((made) => made.id), holder.objects[1]?.id ?? 0];
  for (const id of links) assert.equal(describe('link', id).is_attached, true);
  execFileSync('rm', [`${bpffs.path}/link_netfilter`]); // on 6.18 it would keep the network namespace
  await zoo.release();
  cgroup[Symbol.dispose]();
  for (const id of links) {
    const link = () => describe('link', id);
    await until(`link ${id} is dead`, link, ({ is_attached }) => is_attached === false);
  }
});

test('an id that is gone is object_not_found, and describing it gives nothing', () => {
  for (const kind of ['map', 'program', 'link', 'btf'] as const) {
    assert.throws(
      () => objects.holdById(kind, 0x7ffffff0),
      (error) => isPinfoldError(error, 'object_not_found'),
    );
    assert.equal(objects.describe(kind, 0x7ffffff0), undefined);
    assert.equal(objects.nextId(kind, 0x7fffffff), undefined);
  }
});

test('ids are walked in ascending order, without the objects Pinfold made for itself', async () => {
  using holder = await hold('map:hash:4:8:1:pf_one:0', 'map:hash:4:8:1:pf_two:0', 'prog:xdp:pf_three');
  const walk = (kind: ObjectKind): number[] => {
    const ids: number[] = [];
    for (let id = objects.nextId(kind, 0); id !== undefined; id = objects.nextId(kind, id)) ids.push(id);
    return ids;
  };
  for (const kind of ['map', 'program', 'link', 'btf'] as const) {
    const ids = walk(kind);
    assert.deepEqual(
      ids,
      [...new Set(ids)].sort((one, other) => one - other),
    );
    assert.deepEqual(
      ids.filter((id) => objects.isOwn(kind, id)),
      [],
    );
  }
  const [one = 0, two = 0, three = 0] = holder.objects.map(({ id }) => id);
  assert.ok(walk('map').includes(one) && walk('map').includes(two) && walk('program').includes(three));
  const own = [...bpfFds()].filter(([, target]) => target === 'anon_inode:bpf-map');
  for (const [fd] of own) {
    const id = Number(/map_id:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]);
    assert.equal(objects.describe('map', id), undefined);
  }
  // What tells the iterators over objects which one is wanted, and those over files which kinds there are.
  assert.equal(own.length, 2);
});

test('an object is pinned where it is told, and what a pin holds is read from exactly that pin', async () => {
  using bpffs = mountBpffs();
  using holder = await hold('map:hash:4:8:1:pf_pinned:0');
  using directory = openPath(bpffs.path);
  const id = holder.objects[0]?.id ?? 0;
  {
    using held = objects.holdById('map', id);
    objects.pin(held, { directory, name: 'here' });
    assert.throws(
      () => objects.pin(held, { directory, name: 'here' }),
      (error) =>
        isPinfoldError(error, 'pin_exists') && error.details.errno === 'EEXIST' && error.details.id === id,
    );
  }
  assert.equal(pinnedMap(`${bpffs.path}/here`).id, id);
  using pin = openPath(`${bpffs.path}/here`);
  execFileSync('mv', [`${bpffs.path}/here`, `${bpffs.path}/there`]);
  createMap(`${bpffs.path}/here`, { name: 'pf_other' });
  using held = objects.holdPinned(pin);
  assert.equal(held.id, id);
  assert.equal(held.kind, 'map');
  assert.equal(held.fingerprint, 'map/hash/k4/v8/n1/f0/btf0.0.0/pf_pinned');
});

test('on a read-only bpffs maps and programs are read, and a link is refused as read_only', async () => {
  using bpffs = mountBpffs();
  using holder = await hold('map:hash:4:8:1:pf_ro:0', 'prog:sk_lookup:pf_ro', 'link:netns:1');
  for (const index of [0, 1, 2]) await holder.tell(`pin:${index}:${bpffs.path}/${index}`);
  execFileSync('mount', ['-o', 'remount,ro', bpffs.path]);
  for (const [index, kind] of [
    [0, 'map'],
    [1, 'program'],
  ] as const) {
    using pin = openPath(`${bpffs.path}/${index}`);
    using held = objects.holdPinned(pin);
    assert.equal(held.kind, kind);
    assert.equal(held.id, holder.objects[index]?.id);
  }
  using pin = openPath(`${bpffs.path}/2`);
  assert.throws(
    () => objects.holdPinned(pin),
    (error) => isPinfoldError(error, 'read_only'),
  );
});

test('a descriptor of another process is duplicated, and only that process is believed', async () => {
  using holder = await hold('map:hash:4:8:1:pf_theirs:0', 'prog:xdp:pf_theirs', 'open:/', 'id:btf:1');
  const [map, program, file, btf] = holder.objects;
  const { pid } = holder;
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const startTime = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  const source = (fd: number | undefined) => ({ pid, fd: fd ?? -1 });
  for (const held of [map, program]) {
    using taken = objects.holdFromProcess({ ...source(held?.fd), startTime });
    assert.equal(taken.id, held?.id);
  }
  const refused = (attempt: () => unknown, code: Parameters<typeof isPinfoldError>[1]): void =>
    assert.throws(attempt, (error) => isPinfoldError(error, code), code);
  refused(() => objects.holdFromProcess({ ...source(map?.fd), startTime: startTime + 1 }), 'source_mismatch');
  refused(() => objects.holdFromProcess(source(1000)), 'source_not_found');
  refused(() => objects.holdFromProcess(source(file?.fd)), 'not_pinnable');
  refused(() => objects.holdFromProcess(source(btf?.fd)), 'not_pinnable');
  await holder.release();
  refused(() => objects.holdFromProcess(source(map?.fd)), 'source_not_found');
  refused(() => objects.holdFromProcess({ pid: 4194304, fd: 0 }), 'source_not_found');
});

test('a thread is no process to take a descriptor from', async () => {
  using child = start('node', ['-e', 'console.log("up"); setInterval(() => {}, 1000)']);
  await child.line(/up/);
  const threads = execFileSync('ls', [`/proc/${child.pid}/task`], { encoding: 'utf8' })
    .trim()
    .split('\n');
  const thread = Number(threads.find((tid) => Number(tid) !== child.pid));
  assert.throws(
    () => objects.holdFromProcess({ pid: thread, fd: 0 }),
    (error) => isPinfoldError(error, 'source_not_found'),
  );
});

test('ten thousand holds leave no descriptor open and keep nothing alive', async () => {
  using bpffs = mountBpffs();
  const { id } = createMap(`${bpffs.path}/held`, { name: 'pf_held' });
  using pin = openPath(`${bpffs.path}/held`);
  const before = bpfFds().size;
  for (let round = 0; round < 5_000; round++) {
    using byId = objects.holdById('map', id);
    using byPin = objects.holdPinned(pin);
    assert.equal(byId.id, byPin.id);
    assert.throws(() => objects.holdFromProcess({ pid: process.pid, fd: 0 }));
  }
  assert.equal(bpfFds().size, before);
  assert.deepEqual(kernel.fds.transient(), [pin]);
  execFileSync('rm', [`${bpffs.path}/held`]);
  pin[Symbol.dispose]();
  await until(
    'the map is freed',
    () => isAlive('map', id),
    (alive) => !alive,
  );
});

test('a table whose last user goes while it is described is described all the same', async () => {
  using holder = await hold('map:prog_array:4:4:4:pf_going:0');
  const id = holder.objects[0]?.id ?? 0;
  let looks = 0;
  const find = (): undefined => {
    looks++;
    if (looks > 1) assert.fail('its last user has gone by the second look');
  };
  const own = { isOwn: () => false, unused: { find } };
  const described = new BpfObjects(kernel.calls, { epochMs: 0 }, own).describe('map', id);
  assert.deepEqual([described?.info.id, looks], [id, 1]);
});
