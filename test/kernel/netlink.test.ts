import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import test from 'node:test';
import { listNetNamespaces, visitNamespace } from '../../src/kernel/attachment/namespaces.ts';
import { listDevices } from '../../src/kernel/netlink/devices.ts';
import { listActions, listFilters } from '../../src/kernel/netlink/filters.ts';
import { RouteSocket } from '../../src/kernel/netlink/route-socket.ts';
import { Calls } from '../../src/kernel/sys/calls.ts';
import { isSystemCallError } from '../../src/kernel/sys/errno.ts';
import { FdTable } from '../../src/kernel/sys/fd.ts';
import { holdAs } from '../support/hold.ts';
import { openNamespaces } from '../support/mount-ns.ts';
import type { Child } from '../support/process.ts';

const calls = new Calls(new FdTable());

/** Opens a socket in the namespace of a process; it stays of that one after the visit. */
function socketIn(pid: number): RouteSocket {
  const path = `/proc/${pid}/ns/net`;
  const socket = visitNamespace(calls, { inode: statSync(path).ino, path }, () => new RouteSocket(calls));
  assert.ok(socket);
  return socket;
}

test('more devices than one datagram has room for are listed as ip lists them', async () => {
  using spaces = await openNamespaces({ net: true });
  const script = 'for i in $(seq 150); do ip link add pf$i type veth peer name pfx$i || exit 1; done';
  spaces.run('sh', '-c', script);
  using socket = socketIn(spaces.pid);
  const shown = JSON.parse(spaces.run('ip', '-j', 'link', 'show')) as { ifindex: number; ifname: string }[];
  assert.equal(shown.length, 301);
  assert.deepEqual(
    listDevices(socket)
      .map(({ ifindex, name }) => `${ifindex} ${name}`)
      .sort(),
    shown.map(({ ifindex, ifname }) => `${ifindex} ${ifname}`).sort(),
  );
});

test('a namespace without filters and a kernel without act_bpf have nothing to list', async () => {
  using spaces = await openNamespaces({ net: true });
  using socket = socketIn(spaces.pid);
  assert.deepEqual(listFilters(socket), []);
  assert.deepEqual(listActions(socket), []);
});

test('more filters than one datagram has room for are all listed', async () => {
  using spaces = await openNamespaces({ net: true });
  const inside = (command: string, args: readonly string[]): Child => spaces.start(command, ...args);
  using _holder = await holdAs(inside, 'prog:sched_cls:pf_many', 'pin:0:/sys/fs/bpf/pf_many');
  const load = [
    'tc qdisc add dev lo clsact',
    'for i in $(seq 400); do',
    'echo filter add dev lo egress pref $i bpf da object-pinned /sys/fs/bpf/pf_many; done | tc -batch -',
  ];
  spaces.run('sh', '-c', load.join('\n'));
  using socket = socketIn(spaces.pid);
  const filters = listFilters(socket);
  assert.deepEqual(
    filters.map(({ preference }) => preference).sort((one, other) => one - other),
    Array.from({ length: 400 }, (_, index) => index + 1),
  );
  assert.equal(new Set(filters.map(({ programId }) => programId)).size, 1);
});

test('a request that the kernel refuses names the errno', async () => {
  using spaces = await openNamespaces({ net: true });
  using socket = socketIn(spaces.pid);
  // Above RTM_MAX: nobody answers it.
  assert.throws(
    () => socket.dump(9_999, Buffer.alloc(4)),
    (error) => isSystemCallError(error, 'EOPNOTSUPP'),
  );
});

test('the namespaces of all processes are listed once each, our own first', async () => {
  using one = await openNamespaces({ net: true });
  using other = await openNamespaces({ net: true });
  const inodes = listNetNamespaces().map(({ inode }) => inode);
  assert.equal(inodes[0], statSync('/proc/self/ns/net').ino);
  for (const { pid } of [one, other]) assert.ok(inodes.includes(statSync(`/proc/${pid}/ns/net`).ino));
  assert.equal(new Set(inodes).size, inodes.length);
});

test('a failure inside a namespace is told outside of it', async () => {
  using spaces = await openNamespaces({ net: true });
  const path = `/proc/${spaces.pid}/ns/net`;
  const own = statSync('/proc/thread-self/ns/net').ino;
  const inside: number[] = [];
  const visit = (): never => {
    inside.push(statSync('/proc/thread-self/ns/net').ino);
    throw new RangeError('inside');
  };
  assert.throws(() => visitNamespace(calls, { inode: statSync(path).ino, path }, visit), /inside/);
  assert.deepEqual(inside, [statSync(path).ino]);
  assert.equal(statSync('/proc/thread-self/ns/net').ino, own);
  assert.deepEqual(calls.fds.list(), []);
});

test('a path that leads to another namespace by now is not entered', async () => {
  using spaces = await openNamespaces({ net: true });
  const path = `/proc/${spaces.pid}/ns/net`;
  assert.equal(
    visitNamespace(calls, { inode: 1, path }, () => 'entered'),
    undefined,
  );
  assert.equal(
    visitNamespace(calls, { inode: 1, path: '/proc/0/ns/net' }, () => 'entered'),
    undefined,
  );
});
