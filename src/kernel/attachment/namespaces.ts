import { strict as assert } from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { parseMountInfo } from '../bpffs/mountinfo.ts';
import { AT_FDCWD, type Calls, check, open } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Fd } from '../sys/fd.ts';
import { raw } from '../sys/prototypes.ts';

/** CLONE_NEWNET of include/uapi/linux/sched.h. */
const CLONE_NEWNET = 0x40000000;

/** A network namespace, and a path by which it can be entered. */
export interface NetNamespace {
  readonly inode: number;
  readonly path: string;
  /** The name that `ip netns` gave it, byte string. */
  readonly name?: string;
}

/**
 * Every network namespace that a process is in, or that is mounted somewhere in our mount namespace; our own
 * first. Those kept by a descriptor or a socket alone are not found.
 */
export function listNetNamespaces(): readonly NetNamespace[] {
  const found = new Map<number, NetNamespace>();
  const add = (path: string, name?: string): void => {
    const inode = inodeOf(path);
    if (inode === undefined) return;
    const known = found.get(inode);
    if (known === undefined) found.set(inode, { inode, path, ...(name === undefined ? {} : { name }) });
    else if (known.name === undefined && name !== undefined) found.set(inode, { ...known, name });
  };
  add('/proc/self/ns/net');
  for (const pid of readdirSync('/proc')) if (/^\d+$/.test(pid)) add(`/proc/${pid}/ns/net`);
  for (const { type, root, path } of parseMountInfo(readFileSync('/proc/self/mountinfo', 'latin1'))) {
    const inode = type === 'nsfs' ? /^net:\[(\d+)\]$/.exec(root)?.[1] : undefined;
    if (inode === undefined) continue;
    const number = Number(inode);
    const name = path.slice(path.lastIndexOf('/') + 1);
    found.set(number, { path, ...found.get(number), inode: number, name });
  }
  return [...found.values()];
}

function inodeOf(path: string): number | undefined {
  try {
    const inode = /^net:\[(\d+)\]$/.exec(readlinkSync(path, 'latin1'))?.[1];
    return inode === undefined ? undefined : Number(inode);
  } catch {
    return undefined;
  }
}

/**
 * Runs something with this thread in another network namespace, and comes back.
 *
 * setns(2) moves the calling thread alone, so nothing else of the process notices; what `visit` opens stays
 * of the namespace. Undefined where the namespace has gone.
 * @throws SystemCallError EPERM without CAP_SYS_ADMIN
 */
export function visitNamespace<T>(
  calls: Calls,
  namespace: NetNamespace,
  visit: (namespace: Fd) => T,
): T | undefined {
  using own = openNamespace(calls, '/proc/thread-self/ns/net');
  using other = tryOpen(calls, namespace);
  if (other === undefined) return undefined;
  check('setns', raw.setns(other.number, CLONE_NEWNET));
  try {
    return visit(other);
  } finally {
    // Whatever came next would run among devices of somebody else: there is no going on from here.
    assert.equal(
      raw.setns(own.number, CLONE_NEWNET),
      0,
      'this thread cannot return to its network namespace',
    );
  }
}

function tryOpen(calls: Calls, { path, inode }: NetNamespace): Fd | undefined {
  let fd: Fd;
  try {
    fd = openNamespace(calls, path);
  } catch (error) {
    if (isSystemCallError(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) return undefined;
    throw error;
  }
  // The process may have ended and its pid be another's, or something else be mounted at the path.
  if (statSync(fd.procPath).ino === inode) return fd;
  fd[Symbol.dispose]();
  return undefined;
}

function openNamespace(calls: Calls, path: string): Fd {
  return calls.openat2({ directory: AT_FDCWD, name: path }, { flags: open.RDONLY, resolve: 0 }, path);
}
