import { PinfoldError } from '../../model/error.ts';
import { escapeBytes } from '../../model/path.ts';
import type { BpffsMount, BpffsRoot } from '../kernel.ts';
import { AT_FDCWD, type Calls, open } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Fd } from '../sys/fd.ts';
import { readInode, readInodeAt } from './inode.ts';
import { refusal } from './refusal.ts';
import { markerOf } from './staging.ts';

/** BPF_FS_MAGIC (include/uapi/linux/magic.h). */
const bpfFsMagic = 0xcafe4a11n;

/**
 * The inode of a bpffs's root (kernel/bpf/inode.c calls simple_fill_super, fs/libfs.c); no other directory
 * has it.
 */
const rootInode = 1;

/** Conditions of this process or the machine, which say nothing about the mount. */
const exhausted = ['EMFILE', 'ENFILE', 'ENOMEM'];

/**
 * Opens the root of an instance by the path that leads to it, and proves that it does.
 *
 * Device numbers of unmounted file systems are used again, also for other types: so the type is looked at
 * too. Four system calls.
 * @throws PinfoldError mount_unavailable, overloaded, out_of_memory
 */
export function openRoot(calls: Calls, bootId: string, mount: BpffsMount): BpffsRoot {
  const path = mount.reachableBy;
  if (path === undefined) {
    throw unavailable(mount.id, mount.unreachableReason ?? 'no path leads to it');
  }
  const directory = openPath(calls, path, mount.id);
  try {
    const state = inspect(calls, directory, mount.id);
    if (typeof state === 'string') throw unavailable(mount.id, `${escapeBytes(path)} is ${state}`);
    const root: BpffsRoot = {
      mount: mount.id,
      openedBy: path,
      directory,
      readOnly: state.readOnly,
      /** Read anew each time, since openStaging may just have made the marker. */
      get instance(): string {
        return `${bootId}/${mount.id}/${markerOf(calls, root) ?? '-'}`;
      },
      [Symbol.dispose]: () => directory[Symbol.dispose](),
    };
    return root;
  } catch (error) {
    directory[Symbol.dispose]();
    throw error;
  }
}

/**
 * Proves that the path of an open root still leads to the same superblock. One system call.
 *
 * While the root is open its superblock lives, so nobody else can have got its device number: the type of the
 * file system need not be looked at again.
 * @throws PinfoldError mount_unavailable, overloaded, out_of_memory
 */
export function assertStillVisible(root: BpffsRoot): void {
  const { openedBy: path, mount } = root;
  const state = naming(path, mount, () => {
    return whyNot(readInodeAt({ directory: AT_FDCWD, name: path }), mount);
  });
  if (state !== undefined) throw unavailable(mount, `${escapeBytes(path)} is now ${state}`);
}

/** Why a path does not lead to the root of the instance; undefined where it does. */
export function whyNotRoot(calls: Calls, path: string, device: string): string | undefined {
  try {
    using directory = openPath(calls, path, device);
    const state = inspect(calls, directory, device);
    return typeof state === 'string' ? `its path is ${state}` : undefined;
  } catch (error) {
    if (error instanceof PinfoldError) return `its path cannot be opened (${error.details.errno})`;
    throw error;
  }
}

function openPath(calls: Calls, path: string, device: string): Fd {
  return naming(path, device, () => {
    const place = { directory: AT_FDCWD, name: path } as const;
    return calls.openat2(place, { flags: open.PATH | open.DIRECTORY, resolve: 0 }, `root of ${device}`);
  });
}

/** Says of a path that should lead to a root why it does not. */
function naming<Result>(path: string, device: string, look: () => Result): Result {
  try {
    return look();
  } catch (error) {
    if (!isSystemCallError(error)) throw error;
    if (exhausted.includes(error.errno)) throw refusal(error, { attempt: 'open_directory', path });
    throw unavailable(device, `${escapeBytes(path)} cannot be opened (${error.errno})`, error);
  }
}

/** Whether what is open is the root of the instance, and read-only; otherwise what it is instead. */
function inspect(calls: Calls, directory: Fd, device: string): { readonly readOnly: boolean } | string {
  const { magic, readOnly } = calls.fstatfs(directory);
  if (magic !== bpfFsMagic) return 'not a bpffs';
  const inode = readInode(directory);
  return whyNot({ device: inode.device, inode: inode.facts.inode }, device) ?? { readOnly };
}

function whyNot(
  found: { readonly device: string; readonly inode: number },
  device: string,
): string | undefined {
  if (found.device !== device) return `another file system, ${found.device}`;
  return found.inode === rootInode ? undefined : 'not the root of that bpffs';
}

function unavailable(device: string, why: string, cause?: unknown): PinfoldError {
  const errno = isSystemCallError(cause) ? { syscall: cause.syscall, errno: cause.errno } : {};
  const detail = `${openingOf(device)}${why}.`;
  return new PinfoldError('mount_unavailable', { detail, mount: device, ...errno }, cause);
}

function openingOf(device: string): string {
  return `The bpffs ${device} cannot be used: `;
}

/** Why the root of an instance was not opened, to end a sentence that names the instance itself. */
export function whyNotOpened(device: string, { message }: PinfoldError): string {
  const opening = openingOf(device);
  const why = message.startsWith(opening) ? message.slice(opening.length) : message;
  return `${why.charAt(0).toLowerCase()}${why.slice(1).replace(/\.$/, '')}`;
}
