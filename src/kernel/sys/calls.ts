import { bytesOf } from '../../model/path.ts';
import { errnoName, SystemCallError } from './errno.ts';
import type { Fd, FdTable, Lifetime } from './fd.ts';
import { lastErrno, raw } from './prototypes.ts';

/**
 * Flags of open(2) and its kin (include/uapi/asm-generic/fcntl.h; arm64 differs only in O_DIRECTORY and
 * O_NOFOLLOW).
 */
export const open = {
  RDONLY: 0,
  CLOEXEC: 0o2000000,
  PATH: 0o10000000,
  DIRECTORY: process.arch === 'arm64' ? 0o40000 : 0o200000,
  NOFOLLOW: process.arch === 'arm64' ? 0o100000 : 0o400000,
} as const;

/** LOCK_EX and LOCK_NB of flock(2) (include/uapi/asm-generic/fcntl.h). */
const exclusiveAtOnce = 2 | 4;

/** How openat2 may walk (include/uapi/linux/openat2.h). */
export const resolve = { NO_XDEV: 1, NO_MAGICLINKS: 2, NO_SYMLINKS: 4, BENEATH: 8 } as const;

/** Flags of renameat2 (include/uapi/linux/fs.h). */
export const rename = { NOREPLACE: 1, EXCHANGE: 2 } as const;

/** The current directory, as the first argument of the `*at` calls. */
export const AT_FDCWD = -100;

const AT_REMOVEDIR = 0x200;

/** PATH_MAX with its NUL (include/uapi/linux/limits.h); what is longer the kernel refuses by itself. */
const nameBytes = 4096;

/** Makes a `*at` call with an empty name work on the descriptor itself (include/uapi/linux/fcntl.h). */
export const AT_EMPTY_PATH = 0x1000;

/** FAN_CLOEXEC, FAN_NONBLOCK, FAN_REPORT_PIDFD and FAN_REPORT_DFID_NAME (include/uapi/linux/fanotify.h). */
const fanotifyFlags = 0x1 | 0x2 | 0x80 | 0xc00;

/** FAN_MARK_ADD and FAN_MARK_ONLYDIR. */
const markAddDirectory = 0x1 | 0x8;

/** A directory that is open, or AT_FDCWD for absolute paths. */
export type Directory = Fd | typeof AT_FDCWD;

/** A name in an open directory; names and paths are byte strings (model/path.ts). */
export interface Place {
  readonly directory: Directory;
  readonly name: string;
}

/** `struct open_how` (include/uapi/linux/openat2.h): flags of `open` and of `resolve`; never a mode. */
export interface OpenHow {
  readonly flags: number;
  readonly resolve: number;
}

/**
 * The file system calls with types, and a SystemCallError in place of minus one and errno.
 *
 * Every method is one system call, made on the calling thread; errno is read before anything else runs.
 */
export class Calls {
  readonly fds: FdTable;
  /** `struct open_how` and `struct statfs`, used by one call at a time: most of what an operation asks. */
  readonly #openHow = Buffer.alloc(24);
  readonly #statfs = Buffer.alloc(120);
  /** Room for the names of one call. */
  readonly #names = [Buffer.alloc(nameBytes), Buffer.alloc(nameBytes)] as const;

  constructor(fds: FdTable) {
    this.fds = fds;
  }

  /** openat2(2), Linux 5.6. `what` names the descriptor in a leak report. */
  openat2(place: Place, how: OpenHow, what: string, lifetime?: Lifetime): Fd {
    const opened = this.tryOpenat2(place, how, what, lifetime);
    if (typeof opened !== 'string') return opened;
    throw new SystemCallError('openat2', opened);
  }

  /** The same for callers to whom a missing name is an ordinary answer: the errno's name, nothing thrown. */
  tryOpenat2(place: Place, how: OpenHow, what: string, lifetime?: Lifetime): Fd | string {
    const openHow = this.#openHow;
    openHow.writeUInt32LE((how.flags | open.CLOEXEC) >>> 0, 0);
    openHow.writeUInt32LE(how.resolve, 16);
    const result = raw.openat2(fdOf(place.directory), this.#name(place.name), openHow, openHow.length);
    return result < 0 ? errnoName(lastErrno()) : this.fds.adopt(result, what, lifetime);
  }

  /** renameat2(2), Linux 3.15. `flags` is 0 or one of `rename`. */
  renameat2(from: Place, to: Place, flags: number): void {
    const names = [this.#name(from.name), this.#name(to.name, this.#names[1])] as const;
    check('renameat2', raw.renameat2(fdOf(from.directory), names[0], fdOf(to.directory), names[1], flags));
  }

  /** unlinkat(2) of a name that is not a directory. */
  unlinkat(place: Place): void {
    check('unlinkat', raw.unlinkat(fdOf(place.directory), this.#name(place.name), 0));
  }

  /** unlinkat(2) of an empty directory. */
  rmdirat(place: Place): void {
    check('unlinkat', raw.unlinkat(fdOf(place.directory), cString(place.name), AT_REMOVEDIR));
  }

  /** mkdirat(2); the process's umask applies, as it does for everybody. */
  mkdirat(place: Place, mode: number): void {
    check('mkdirat', raw.mkdirat(fdOf(place.directory), cString(place.name), mode));
  }

  /**
   * fchownat(2) on exactly what is open (AT_EMPTY_PATH, which O_PATH descriptors allow); -1 leaves one as it
   * is.
   */
  chown(fd: Fd, owner: { readonly uid: number; readonly gid: number }): void {
    check('fchownat', raw.fchownat(fd.number, cString(''), owner.uid >>> 0, owner.gid >>> 0, AT_EMPTY_PATH));
  }

  /**
   * readlinkat(2) of a symbolic link that is open with O_PATH (an empty name, Linux 2.6.39); its target as a
   * byte string.
   */
  readlinkat(link: Fd): string {
    return readLink(link.number, '');
  }

  /** dup3(2): from now on a number that is open already leads to what another one does; close-on-exec. */
  dup3(fd: Fd, onto: Fd): void {
    check('dup3', raw.dup3(fd.number, onto.number, open.CLOEXEC));
  }

  /**
   * open_by_handle_at(2), Linux 2.6.39: what a file system knows by a handle of this type and these bytes
   * (struct file_handle). CAP_DAC_READ_SEARCH.
   */
  openByHandle(fileSystem: Fd, handle: { readonly type: number; readonly bytes: Buffer }, what: string): Fd {
    const header = Buffer.alloc(8);
    header.writeUInt32LE(handle.bytes.length, 0);
    header.writeInt32LE(handle.type, 4);
    const given = Buffer.concat([header, handle.bytes]);
    const flags = open.RDONLY | open.CLOEXEC;
    return this.fds.adopt(
      check('open_by_handle_at', raw.open_by_handle_at(fileSystem.number, given, flags)),
      what,
    );
  }

  /**
   * fstatfs(2): the file system's magic number and whether this way to it is read-only (struct statfs,
   * ST_RDONLY).
   */
  fstatfs(fd: Fd): { readonly magic: bigint; readonly readOnly: boolean } {
    const statfs = this.#statfs;
    check('fstatfs', raw.fstatfs(fd.number, statfs));
    return { magic: statfs.readBigUInt64LE(0), readOnly: (statfs.readBigUInt64LE(80) & 1n) === 1n };
  }

  /** mount(2) of a new file system of a type at a path; `flags` are MS_* of include/uapi/linux/mount.h. */
  mount(
    path: string,
    what: { readonly type: string; readonly flags: number; readonly options: string },
  ): void {
    const type = cString(what.type);
    check('mount', raw.mount(type, cString(path), type, what.flags, cString(what.options)));
  }

  /** inotify_init1(2), without waiting and closed on exec; it stays open until its watcher is disposed. */
  inotifyInit(): Fd {
    return this.fds.adopt(
      check('inotify_init1', raw.inotify_init1(open.CLOEXEC | 0o4000)),
      'inotify',
      'kernel',
    );
  }

  /**
   * inotify_add_watch(2) on exactly what is open; the watch's number. `mask` is IN_* of
   * include/uapi/linux/inotify.h.
   */
  inotifyAdd(inotify: Fd, directory: Fd, mask: number): number {
    const path = cString(directory.procPath);
    return check('inotify_add_watch', raw.inotify_add_watch(inotify.number, path, mask));
  }

  /** inotify_rm_watch(2). */
  inotifyRemove(inotify: Fd, watch: number): void {
    check('inotify_rm_watch', raw.inotify_rm_watch(inotify.number, watch));
  }

  /**
   * fanotify_init(2) for events with names of directories and pidfds (Linux 5.15, CAP_SYS_ADMIN), without
   * waiting and closed on exec; it stays open until its watcher is disposed.
   */
  fanotifyInit(): Fd {
    const result = check('fanotify_init', raw.fanotify_init(fanotifyFlags, 0));
    return this.fds.adopt(result, 'fanotify', 'kernel');
  }

  /**
   * fanotify_mark(2) on exactly the directory that is open; false where there may be no more marks, or not
   * here. `mask` is FAN_* of include/uapi/linux/fanotify.h.
   */
  fanotifyMark(fanotify: Fd, directory: Fd, mask: number): boolean {
    const path = cString(directory.procPath);
    if (raw.fanotify_mark(fanotify.number, markAddDirectory, mask, AT_FDCWD, path) === 0) return true;
    const errno = errnoName(lastErrno());
    if (['ENOSPC', 'EOPNOTSUPP', 'ENODEV', 'EXDEV'].includes(errno)) return false;
    throw new SystemCallError('fanotify_mark', errno);
  }

  /** eventfd2(2), without waiting and closed on exec. */
  eventFd(): Fd {
    const result = check('eventfd2', raw.eventfd2(0, open.CLOEXEC | 0o4000));
    return this.fds.adopt(result, 'eventfd', 'kernel');
  }

  /** Makes an eventfd readable. */
  signal(eventFd: Fd): void {
    const one = Buffer.alloc(8);
    one.writeBigUInt64LE(1n);
    check('write', raw.write(eventFd.number, one, one.length));
  }

  /** getdents64(2) into the buffer; the number of bytes filled, 0 at the end. */
  getdents64(directory: Fd, buffer: Uint8Array): number {
    return check('getdents64', raw.getdents64(directory.number, buffer, buffer.length));
  }

  /** flock(2), exclusive, without waiting: false where another has the lock. It ends with the descriptor. */
  tryLock(fd: Fd): boolean {
    if (raw.flock(fd.number, exclusiveAtOnce) === 0) return true;
    const errno = errnoName(lastErrno());
    if (errno === 'EAGAIN' || errno === 'EINTR') return false;
    throw new SystemCallError('flock', errno);
  }

  /** read(2); the number of bytes read, 0 at the end. */
  read(fd: Fd, buffer: Uint8Array): number {
    return check('read', raw.read(fd.number, buffer, buffer.length));
  }

  /** read(2) of what may have nothing to read now: 0 then, and after a signal. At rest it makes no error. */
  readIfAny(fd: Fd, buffer: Uint8Array): number {
    const length = raw.read(fd.number, buffer, buffer.length);
    if (length >= 0) return length;
    const errno = errnoName(lastErrno());
    if (errno === 'EAGAIN' || errno === 'EINTR') return 0;
    throw new SystemCallError('read', errno);
  }

  /** A name as C wants it, in memory that is kept: most of what an operation hands over. */
  #name(name: string, into: Buffer = this.#names[0]): Buffer {
    if (name.length >= nameBytes || name.includes('\0')) return cString(name);
    into[into.write(name, 0, 'latin1')] = 0;
    return into;
  }

  /** pidfd_open(2), Linux 5.3. */
  pidfdOpen(pid: number): Fd {
    return this.fds.adopt(check('pidfd_open', raw.pidfd_open(pid, 0)), `process ${pid}`);
  }

  /** pidfd_getfd(2), Linux 5.6: a duplicate of another process's descriptor, close-on-exec. */
  pidfdGetfd(pidfd: Fd, target: number): Fd {
    return this.fds.adopt(
      check('pidfd_getfd', raw.pidfd_getfd(pidfd.number, target, 0)),
      `fd ${target} of ${pidfd.what}`,
    );
  }
}

/**
 * What /proc says a descriptor is on: readlinkat(2) of its entry, a third of what readlinkSync takes.
 *
 * @param bytesMax - the kernel cuts what is longer; so little comes out of Node's pool of memory
 */
export function nameOfOpen(fd: Fd, bytesMax = 4096): string {
  return readLink(AT_FDCWD, fd.procPath, bytesMax);
}

function readLink(directory: number, name: string, bytesMax = 4096): string {
  const target = Buffer.allocUnsafe(bytesMax);
  const length = check('readlinkat', raw.readlinkat(directory, cString(name), target, target.length));
  return target.toString('latin1', 0, length);
}

/** The result of a raw call, or a SystemCallError where it is negative. */
export function check(syscall: string, result: number): number {
  if (result >= 0) return result;
  throw new SystemCallError(syscall, errnoName(lastErrno()));
}

/** A byte string as C wants it, with its NUL; a name that has one inside is a caller's mistake. */
export function cString(byteString: string): Buffer {
  if (byteString.includes('\0')) throw new RangeError('a C string cannot hold a NUL byte');
  return bytesOf(`${byteString}\0`);
}

function fdOf(directory: Directory): number {
  return directory === AT_FDCWD ? AT_FDCWD : directory.number;
}
