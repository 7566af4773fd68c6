import { readdirSync, readFileSync, readlinkSync, statSync, writeSync } from 'node:fs';
import { AT_FDCWD, type Calls, check, cString, open } from '../sys/calls.ts';
import { errnoName, isSystemCallError } from '../sys/errno.ts';
import type { Fd } from '../sys/fd.ts';
import { lastErrno, raw } from '../sys/prototypes.ts';
import { readInode, readInodeAt } from './inode.ts';
import { type MountInfo, parseMountInfo } from './mountinfo.ts';

/** CLONE_NEWNS and CLONE_FS (include/uapi/linux/sched.h). */
const CLONE_NEWNS = 0x20000;
const CLONE_FS = 0x200;

/** NS_MNT_GET_NEXT and NS_MNT_GET_PREV with their sixteen bytes (include/uapi/linux/nsfs.h, Linux 6.12). */
const steps = [0x8010b70b, 0x8010b70c] as const;

/** A mount namespace, open, and the inode that names it. */
export interface OpenNamespace {
  readonly inode: number;
  readonly fd: Fd;
}

/** Goes on with the next namespace where it answers true. */
type Look = (namespace: OpenNamespace) => boolean;

/**
 * Shows every mount namespace but our own that this process may enter, whatever keeps it, each open for as
 * long as it is looked at.
 *
 * @returns the name of the errno that ended it (ENOTTY before Linux 6.12); undefined where all are listed
 */
export function eachMountNamespace(calls: Calls, look: Look): string | undefined {
  for (const step of steps) {
    let at = openNamespace(calls, '/proc/self/ns/mnt');
    for (;;) {
      const next = openNext(calls, at, step);
      at[Symbol.dispose]();
      if (next === 'ENOENT') break;
      if (typeof next === 'string') return next;
      at = next;
      try {
        if (look({ inode: statSync(at.procPath).ino, fd: at })) continue;
      } catch (error) {
        at[Symbol.dispose]();
        throw error;
      }
      at[Symbol.dispose]();
      return undefined;
    }
  }
  return undefined;
}

/** The namespace after (or before) another in the order of their making; the errno's name at the end. */
function openNext(calls: Calls, at: Fd, step: number): Fd | string {
  const result = raw.ioctl(at.number, step, null);
  return result < 0 ? errnoName(lastErrno()) : calls.fds.adopt(result, 'mount namespace');
}

/** The same for those alone that are mounted in our own namespace, which any kernel shows. */
export function eachBoundNamespace(calls: Calls, bound: ReadonlyMap<number, string>, look: Look): void {
  for (const [inode, path] of bound) {
    try {
      using fd = openNamespace(calls, path);
      // Something else may lie over the path.
      if (statSync(fd.procPath).ino === inode && !look({ inode, fd })) return;
    } catch (error) {
      if (!isSystemCallError(error)) throw error;
    }
  }
}

/** The mounts of our own namespace. */
export function readOwnMounts(): readonly MountInfo[] {
  return parseMountInfo(readFileSync('/proc/self/mountinfo', 'latin1'));
}

/** Where among these mounts other mount namespaces are bound, by their inodes. */
export function boundNamespaces(mounts: readonly MountInfo[]): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  for (const { type, root, path } of mounts) {
    const inode = type === 'nsfs' ? /^mnt:\[(\d+)\]$/.exec(root)?.[1] : undefined;
    if (inode !== undefined) found.set(Number(inode), path);
  }
  return found;
}

/**
 * Tells of mount namespaces whether a process is in them, single threads apart. Looks at one process after
 * another, no further than it must.
 */
export function inhabitedNamespaces(): (inode: number) => boolean {
  const found = new Set<number>();
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .values();
  return (inode) => {
    if (found.has(inode)) return true;
    for (const pid of pids) {
      const other = inodeOf(`/proc/${pid}/ns/mnt`);
      if (other !== undefined) found.add(other);
      if (other === inode) return true;
    }
    return false;
  };
}

function inodeOf(path: string): number | undefined {
  try {
    return Number(/^mnt:\[(\d+)\]$/.exec(readlinkSync(path, 'latin1'))?.[1]);
  } catch {
    return undefined;
  }
}

/**
 * Runs something with this thread in another mount namespace, which it is shown the mounts of, and comes
 * back. What `visit` opens stays open, and of that namespace.
 *
 * setns(2) asks for a thread that shares its working directory with no other, so from the first visit on
 * this thread has one of its own: of the same path, but process.chdir() would move it alone.
 * @throws SystemCallError EPERM without CAP_SYS_ADMIN and CAP_SYS_CHROOT
 */
export function visitMountNamespace<T>(
  calls: Calls,
  { fd }: OpenNamespace,
  visit: (mounts: readonly MountInfo[]) => T,
): T {
  const directory = { flags: open.PATH | open.DIRECTORY, resolve: 0 };
  const openDirectory = (name: string): Fd => calls.openat2({ directory: AT_FDCWD, name }, directory, name);
  using own = openNamespace(calls, '/proc/thread-self/ns/mnt');
  using root = openDirectory('/');
  using working = openDirectory('.');
  using proc = openDirectory('/proc');
  check('unshare', raw.unshare(CLONE_FS));
  check('setns', raw.setns(fd.number, CLONE_NEWNS));
  try {
    return visit(readMounts(calls, proc));
  } finally {
    comeBack({ own, root, working });
  }
}

/** Enters our own mount namespace, which asks for the same rights. @throws SystemCallError */
export function proveVisits(calls: Calls): void {
  using fd = openNamespace(calls, '/proc/thread-self/ns/mnt');
  visitMountNamespace(calls, { inode: statSync(fd.procPath).ino, fd }, () => undefined);
}

/** By our own /proc: there may be none in that namespace. */
function readMounts(calls: Calls, proc: Fd): readonly MountInfo[] {
  const name = 'thread-self/mountinfo';
  using mountinfo = calls.openat2({ directory: proc, name }, { flags: open.RDONLY, resolve: 0 }, name);
  return parseMountInfo(readFileSync(mountinfo.number, 'latin1'));
}

/**
 * Back where this thread was. A namespace is entered at its root, which is not ours in a chroot. Whatever
 * came next would see files of somebody else if any of it failed: there is no going on from here, and an
 * error that somebody catches would be going on.
 */
function comeBack({ own, root, working }: Readonly<Record<'own' | 'root' | 'working', Fd>>): void {
  const isBack =
    raw.setns(own.number, CLONE_NEWNS) === 0 &&
    (isRoot(root) || (raw.fchdir(root.number) === 0 && raw.chroot(cString('.')) === 0)) &&
    raw.fchdir(working.number) === 0;
  if (isBack) return;
  writeSync(2, 'pinfold: this thread cannot return to its mount namespace, so the process ends.\n');
  process.abort();
}

/** Two mounts of one directory are not told apart: what lies below them is. */
function isRoot(directory: Fd): boolean {
  const [ours, now] = [readInode(directory), readInodeAt({ directory: AT_FDCWD, name: '/' })];
  return ours.device === now.device && ours.facts.inode === now.inode;
}

function openNamespace(calls: Calls, path: string): Fd {
  return calls.openat2({ directory: AT_FDCWD, name: path }, { flags: open.RDONLY, resolve: 0 }, path);
}
