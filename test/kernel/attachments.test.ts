import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import test from 'node:test';
import { seeCgroups } from '../../src/kernel/attachment/cgroups.ts';
import { type NetworkBounds, seeNetwork } from '../../src/kernel/attachment/network.ts';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import type { AttachmentFact } from '../../src/model/holder/facts.ts';
import { bpftool } from '../support/bpftool.ts';
import { disposable, forFile } from '../support/disposal.ts';
import { type Holder, hold, holdAs } from '../support/hold.ts';
import { type Namespaces, openNamespaces } from '../support/mount-ns.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

const kernel = forFile(openKernel());

/** Numbers of enum bpf_attach_type, as the holder takes them. */
const attachTypes = { cgroupEgress: 1, streamVerdict: 5, flowDissector: 17, tcxEgress: 47 };

/** Where a program is attached, in the order in which it is found. */
function attachmentsOf(id: number): readonly AttachmentFact[] {
  const { attachments } = kernel.holders.read({ focus: { kind: 'program', id } });
  assert.deepEqual(kernel.fds.transient(), []);
  return attachments.filter(({ object }) => object.kind === 'program' && object.id === id);
}

function only(attachments: readonly AttachmentFact[]): AttachmentFact {
  const [first] = attachments;
  assert.ok(first !== undefined && attachments.length === 1, JSON.stringify(attachments));
  return first;
}

function idOf(holder: Holder, index: number): number {
  return holder.objects[index]?.id ?? 0;
}

function holdInside(spaces: Namespaces, ...instructions: readonly string[]): Promise<Holder> {
  return holdAs((command, args) => spaces.start(command, ...args), ...instructions);
}

function netnsOf(pid: number | 'self'): number {
  return statSync(`/proc/${pid}/ns/net`).ino;
}

test('this thread is in its own network namespace after others were visited', async () => {
  using spaces = await openNamespaces({ net: true });
  const before = netnsOf('self');
  assert.notEqual(netnsOf(spaces.pid), before);
  kernel.holders.read({});
  assert.equal(statSync('/proc/thread-self/ns/net').ino, before);
  assert.deepEqual(kernel.fds.transient(), []);
});

test('cls_bpf filters are found at ingress, egress and classes, as tc says', async () => {
  using spaces = await openNamespaces({ net: true });
  using holder = await holdInside(spaces, 'prog:sched_cls:pf_tc', 'pin:0:/sys/fs/bpf/pf_tc');
  const tc = (...args: string[]): string => spaces.run('tc', ...args);
  const pinned = ['bpf', 'direct-action', 'object-pinned', '/sys/fs/bpf/pf_tc'];
  tc('qdisc', 'add', 'dev', 'lo', 'clsact');
  tc('filter', 'add', 'dev', 'lo', 'ingress', 'pref', '7', ...pinned);
  tc('filter', 'add', 'dev', 'lo', 'egress', 'pref', '8', 'handle', '3', ...pinned);
  tc('qdisc', 'add', 'dev', 'lo', 'root', 'handle', '1:', 'htb');
  tc('class', 'add', 'dev', 'lo', 'parent', '1:', 'classid', '1:a', 'htb', 'rate', '1mbit');
  tc('filter', 'add', 'dev', 'lo', 'parent', '1:', 'pref', '9', 'bpf', 'object-pinned', '/sys/fs/bpf/pf_tc');
  tc('filter', 'add', 'dev', 'lo', 'parent', '1:a', 'pref', '10', ...pinned);
  const found = attachmentsOf(idOf(holder, 0)).toSorted(byPreference);
  const netns = { inode: netnsOf(spaces.pid) };
  const common = {
    kind: 'tc',
    object: { kind: 'program', id: idOf(holder, 0) },
    device: { ifindex: 1, name: 'lo' },
  };
  const direct = { flags: ['direct_action'] };
  assert.deepEqual(found, [
    { ...common, attachType: 'ingress', filter: 'pref 7 handle 0x1', ...direct, netns },
    { ...common, attachType: 'egress', filter: 'pref 8 handle 0x3', ...direct, netns },
    { ...common, attachType: '1:0', filter: 'pref 9 handle 0x1', netns },
    { ...common, attachType: '1:a', filter: 'pref 10 handle 0x1', ...direct, netns },
  ]);
  assert.match(
    tc('filter', 'show', 'dev', 'lo', 'egress'),
    new RegExp(`pref 8 .*handle 0x3.* id ${idOf(holder, 0)}`, 's'),
  );
});

function byPreference({ filter: one }: AttachmentFact, { filter: other }: AttachmentFact): number {
  return Number(one?.split(' ')[1]) - Number(other?.split(' ')[1]);
}

test('XDP programs are found by mode, and one attached by a link once, with its device', async () => {
  using spaces = await openNamespaces({ net: true });
  using holder = await holdInside(
    spaces,
    'prog:xdp:pf_xdp',
    'pin:0:/sys/fs/bpf/pf_xdp',
    'prog:xdp:pf_linked',
  );
  spaces.run('ip', 'link', 'add', 'pf0', 'type', 'veth', 'peer', 'name', 'pf1');
  spaces.run('ip', 'link', 'set', 'dev', 'pf0', 'xdpgeneric', 'pinned', '/sys/fs/bpf/pf_xdp');
  spaces.run('ip', 'link', 'set', 'dev', 'pf1', 'xdpdrv', 'pinned', '/sys/fs/bpf/pf_xdp');
  const link = await holder.tell('link:xdp:1:lo');
  const inode = netnsOf(spaces.pid);
  const byName = new Map(attachmentsOf(idOf(holder, 0)).map((each) => [each.device?.name, each]));
  assert.deepEqual([byName.get('pf0')?.attachType, byName.get('pf1')?.attachType], ['generic', 'driver']);
  assert.ok(
    [...byName.values()].every(({ netns, link: none }) => netns?.inode === inode && none === undefined),
  );
  const linked = only(attachmentsOf(idOf(holder, 1)));
  assert.equal(linked.link, link.id);
  assert.deepEqual([linked.device, linked.netns], [{ ifindex: 1, name: 'lo' }, { inode }]);
  const shown = spaces.run('bpftool', '-j', 'net', 'show');
  assert.match(shown, new RegExp(`"devname":"lo","ifindex":1,"mode":"generic","id":${idOf(holder, 1)}`));
});

test('tcx programs are found with and without a link', async () => {
  using spaces = await openNamespaces({ net: true });
  using holder = await holdInside(spaces, 'prog:sched_cls:pf_tcx', 'link:tcx:0:lo');
  await holder.tell(`attach:0:${attachTypes.tcxEgress}:dev:lo`);
  const found = attachmentsOf(idOf(holder, 0));
  const byLink = only(found.filter(({ link }) => link !== undefined));
  const direct = only(found.filter(({ link }) => link === undefined));
  const place = { device: { ifindex: 1, name: 'lo' }, netns: { inode: netnsOf(spaces.pid) } };
  assert.deepEqual({ ...byLink, ...place }, byLink);
  assert.deepEqual([byLink.kind, byLink.attachType, byLink.link], ['tcx', 'ingress', idOf(holder, 1)]);
  assert.deepEqual({ ...direct, ...place, kind: 'tcx', attachType: 'egress' }, direct);
});

test('programs of a control group are found, by a link and without one, with the path', async () => {
  using group = makeCgroup();
  using holder = await hold(
    'prog:cgroup_skb:pf_cgroup',
    `link:cgroup:0:${group.path}`,
    'prog:cgroup_skb:pf_direct',
  );
  await holder.tell(`attach:2:${attachTypes.cgroupEgress}:${group.path}`);
  const { ino: id } = statSync(group.path);
  const byLink = only(attachmentsOf(idOf(holder, 0)));
  assert.deepEqual(byLink.cgroup, { id, path: group.name });
  assert.deepEqual([byLink.link, byLink.attachType], [idOf(holder, 1), 'cgroup_inet_egress']);
  const direct = only(attachmentsOf(idOf(holder, 2)));
  assert.deepEqual(
    [direct.link, direct.cgroup, direct.flags],
    [undefined, { id, path: group.name }, ['multi']],
  );
  const shown = bpftool<readonly { readonly id: number }[]>('cgroup', 'show', group.path);
  assert.deepEqual(shown.map(({ id: program }) => program).sort(), [idOf(holder, 0), idOf(holder, 2)].sort());
});

/** A control group of the test's own; a program stays attached until the group is gone. */
function makeCgroup(): Disposable & { readonly path: string; readonly name: string } {
  const root =
    / (\/\S+) \S+ (?:\S+ )*- cgroup2 /.exec(readFileSync('/proc/self/mountinfo', 'utf8'))?.[1] ?? '';
  const name = `/pf_${process.pid}_${Date.now()}`;
  const path = root + name;
  mkdirSync(path);
  return { path, name, ...disposable(() => rmdirSync(path)) };
}

test('programs of a whole network namespace are found, by a link and without one', async () => {
  using spaces = await openNamespaces({ net: true });
  using holder = await holdInside(
    spaces,
    'prog:sk_lookup:pf_lookup',
    'link:netns:0',
    'prog:flow_dissector:pf_flow',
    `attach:2:${attachTypes.flowDissector}:here`,
  );
  const inode = netnsOf(spaces.pid);
  const byLink = only(attachmentsOf(idOf(holder, 0)));
  assert.deepEqual([byLink.kind, byLink.link, byLink.netns?.inode], ['netns', idOf(holder, 1), inode]);
  const direct = only(attachmentsOf(idOf(holder, 2)));
  assert.deepEqual(
    [direct.attachType, direct.link, direct.netns?.inode],
    ['flow_dissector', undefined, inode],
  );
  assert.match(
    spaces.run('bpftool', 'net', 'show'),
    new RegExp(`flow_dissector:\\s+id ${idOf(holder, 2)}\\b`),
  );
});

test('a namespace that only a mount keeps is found by its name', async () => {
  using directory = tempDir();
  using spaces = await openNamespaces({ net: true });
  const inode = netnsOf(spaces.pid);
  const path = `${directory.path}/pf_named`;
  execFileSync('touch', [path]);
  execFileSync('mount', ['--bind', `/proc/${spaces.pid}/ns/net`, path]);
  using _mounted = disposable(() => void execFileSync('umount', ['-l', path]));
  using holder = await holdInside(
    spaces,
    'prog:flow_dissector:pf_named',
    `attach:0:${attachTypes.flowDissector}:here`,
  );
  await holder.release();
  spaces[Symbol.dispose]();
  await until('no process is in it', () => !existsSync(`/proc/${spaces.pid}`));
  const found = only(attachmentsOf(idOf(holder, 0)));
  assert.deepEqual(found.netns, { inode, name: 'pf_named' });
});

test('what a sockmap runs is found on the map', async () => {
  using holder = await hold('map:sockmap:4:4:2:pf_socks:0', 'prog:sk_skb:pf_verdict');
  await holder.tell(`attach:1:${attachTypes.streamVerdict}:map:0`);
  const found = only(attachmentsOf(idOf(holder, 1)));
  assert.deepEqual(
    [found.kind, found.attachType, found.map],
    ['sockmap', 'sk_skb_stream_verdict', idOf(holder, 0)],
  );
});

test('perf events and sockets that run a program are found, tracepoints by name', async () => {
  using tracing = mountTracefs();
  const number = readFileSync(`${tracing.path}/events/sched/sched_process_exit/id`, 'utf8').trim();
  using holder = await hold(
    'prog:tracepoint:pf_exit',
    `tracepoint:0:${number}`,
    'prog:perf_event:pf_sample',
    'perf:2',
    'prog:socket_filter:pf_filter',
    'filter:4',
    'dup:5',
  );
  const { pid, objects } = holder;
  const tracepoint = only(attachmentsOf(idOf(holder, 0)));
  assert.deepEqual(tracepoint.event, { pid, fd: objects[1]?.fd, what: 'tracepoint sched_process_exit' });
  const sample = only(attachmentsOf(idOf(holder, 2)));
  assert.deepEqual([sample.kind, sample.event?.fd], ['perf_event', objects[3]?.fd]);
  const filter = only(attachmentsOf(idOf(holder, 4)));
  assert.deepEqual([filter.kind, filter.attachType, filter.event?.fd], ['socket', 'filter', objects[5]?.fd]);
});

function mountTracefs(): Disposable & { readonly path: string } {
  const directory = tempDir();
  execFileSync('mount', ['-t', 'tracefs', 'pf-tracefs', directory.path]);
  const release = disposable(() => {
    execFileSync('umount', ['-l', directory.path]);
    directory[Symbol.dispose]();
  });
  return { path: directory.path, ...release };
}

test('what is detached is found no more', async () => {
  using spaces = await openNamespaces({ net: true });
  using holder = await holdInside(spaces, 'prog:sched_cls:pf_gone', 'link:tcx:0:lo');
  assert.equal(attachmentsOf(idOf(holder, 0)).length, 1);
  await holder.tell('close:1');
  await until('the link is gone', () => attachmentsOf(idOf(holder, 0)).length === 0);
});

test('only so many namespaces, devices and control groups are asked, and that is said', async () => {
  using spaces = await openNamespaces({ net: true });
  using group = makeCgroup();
  using holder = await holdInside(spaces, 'prog:sched_cls:pf_bounds', 'link:tcx:0:lo');
  const { calls } = kernel;
  const parts = { tc: true, xdp: false, netns: false };
  const inode = netnsOf(spaces.pid);
  const isSeen = (bounds: NetworkBounds): boolean =>
    seeNetwork(calls, parts, bounds).sightings.some(({ object }) => object.id === idOf(holder, 0));
  assert.ok(isSeen({ namespacesMax: 1000, devicesMax: 1000 }));
  assert.ok(!isSeen({ namespacesMax: 1, devicesMax: 1000 }));
  assert.ok(!isSeen({ namespacesMax: 1000, devicesMax: 0 }));
  const { unavailable } = seeNetwork(calls, parts, { namespacesMax: 1000, devicesMax: 0 });
  assert.ok(unavailable.some(({ what }) => what === `tcx and netkit in netns ${inode}`));
  const [left] = seeNetwork(calls, parts, { namespacesMax: 1, devicesMax: 1000 }).unavailable;
  assert.match(`${left?.what}: ${left?.reason}`, /^\d+ network namespaces: no more than 1 are looked into$/);
  const groups = seeCgroups(calls, new Set(['cgroup_skb']), 1);
  assert.match(groups.unavailable[0]?.what ?? '', /^\d+ control groups$/);
  assert.deepEqual(seeCgroups(calls, new Set(['cgroup_skb']), 10_000).unavailable, [], group.name);
});
