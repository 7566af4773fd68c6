import koffi from 'koffi';

/**
 * Every foreign function Pinfold calls, with its prototype: the one file in which a slip is memory
 * corruption.
 *
 * All go through syscall(2), because libc has no wrapper for several and musl lacks more. Integers are passed
 * in registers and the kernel reads the low 32 bits of an `int`. A Buffer given for a `void *` stays where it
 * is and is kept alive until the call returns. Numbers: arch/x86/entry/syscalls/syscall_64.tbl and
 * include/uapi/asm-generic/unistd.h (arm64).
 */
const numbers = {
  x64: {
    read: 0,
    close: 3,
    dup3: 292,
    getsockopt: 55,
    flock: 73,
    getdents64: 217,
    inotify_add_watch: 254,
    inotify_rm_watch: 255,
    inotify_init1: 294,
    mkdirat: 258,
    fchownat: 260,
    unlinkat: 263,
    renameat2: 316,
    bpf: 321,
    pidfd_open: 434,
    openat2: 437,
    pidfd_getfd: 438,
    sendto: 44,
    socket: 41,
    mount: 165,
    clock_gettime: 228,
    readlinkat: 267,
    fstatfs: 138,
    open_by_handle_at: 304,
    statx: 332,
    kcmp: 312,
    recvfrom: 45,
    setns: 308,
    perf_event_open: 298,
    fanotify_init: 300,
    fanotify_mark: 301,
    eventfd2: 290,
    write: 1,
    ppoll: 271,
    ioctl: 16,
    unshare: 272,
    fchdir: 81,
    chroot: 161,
  },
  arm64: {
    read: 63,
    close: 57,
    dup3: 24,
    getsockopt: 209,
    flock: 32,
    getdents64: 61,
    inotify_add_watch: 27,
    inotify_rm_watch: 28,
    inotify_init1: 26,
    mkdirat: 34,
    fchownat: 54,
    unlinkat: 35,
    renameat2: 276,
    bpf: 280,
    pidfd_open: 434,
    openat2: 437,
    pidfd_getfd: 438,
    sendto: 206,
    socket: 198,
    mount: 40,
    clock_gettime: 113,
    readlinkat: 78,
    fstatfs: 44,
    open_by_handle_at: 265,
    statx: 291,
    kcmp: 272,
    recvfrom: 207,
    setns: 268,
    perf_event_open: 241,
    fanotify_init: 262,
    fanotify_mark: 263,
    eventfd2: 19,
    write: 64,
    ppoll: 73,
    ioctl: 29,
    unshare: 97,
    fchdir: 50,
    chroot: 51,
  },
} as const;

type CallName = keyof (typeof numbers)['x64'];

/** What a foreign function takes: numbers, and buffers (or null) where the prototype says `void *`. */
type Argument = number | Uint8Array | null;

/**
 * A system call with its number bound: answers the kernel's result, or minus one with `koffi.errno()` set.
 */
export type RawCall = (...args: readonly Argument[]) => number;

const libc = koffi.load(null);

function declare(name: CallName, parameters: readonly string[]): RawCall {
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
  const call = libc.func('syscall', 'long', ['long', ...parameters]);
  // Bound, not wrapped: arguments that are gathered and spread again cost as much as the call.
  return call.bind(undefined, numbers[arch][name]);
}

/** The raw system calls; `calls.ts` gives each its types and its errors. */
export const raw = {
  read: declare('read', ['int', 'void *', 'size_t']),
  close: declare('close', ['int']),
  dup3: declare('dup3', ['int', 'int', 'int']),
  getsockopt: declare('getsockopt', ['int', 'int', 'int', 'void *', 'void *']),
  flock: declare('flock', ['int', 'int']),
  getdents64: declare('getdents64', ['int', 'void *', 'uint']),
  inotify_init1: declare('inotify_init1', ['int']),
  inotify_add_watch: declare('inotify_add_watch', ['int', 'void *', 'uint32_t']),
  inotify_rm_watch: declare('inotify_rm_watch', ['int', 'int']),
  mkdirat: declare('mkdirat', ['int', 'void *', 'uint']),
  fchownat: declare('fchownat', ['int', 'void *', 'uint', 'uint', 'int']),
  unlinkat: declare('unlinkat', ['int', 'void *', 'int']),
  renameat2: declare('renameat2', ['int', 'void *', 'int', 'void *', 'uint']),
  bpf: declare('bpf', ['int', 'void *', 'uint']),
  pidfd_open: declare('pidfd_open', ['int', 'uint']),
  openat2: declare('openat2', ['int', 'void *', 'void *', 'size_t']),
  pidfd_getfd: declare('pidfd_getfd', ['int', 'int', 'uint']),
  clock_gettime: declare('clock_gettime', ['int', 'void *']),
  socket: declare('socket', ['int', 'int', 'int']),
  sendto: declare('sendto', ['int', 'void *', 'size_t', 'int', 'void *', 'uint']),
  readlinkat: declare('readlinkat', ['int', 'void *', 'void *', 'size_t']),
  fstatfs: declare('fstatfs', ['int', 'void *']),
  open_by_handle_at: declare('open_by_handle_at', ['int', 'void *', 'int']),
  statx: declare('statx', ['int', 'void *', 'int', 'uint', 'void *']),
  kcmp: declare('kcmp', ['int', 'int', 'int', 'ulong', 'ulong']),
  recvfrom: declare('recvfrom', ['int', 'void *', 'size_t', 'int', 'void *', 'void *']),
  setns: declare('setns', ['int', 'int']),
  perf_event_open: declare('perf_event_open', ['void *', 'int', 'int', 'int', 'ulong']),
  fanotify_init: declare('fanotify_init', ['uint', 'uint']),
  fanotify_mark: declare('fanotify_mark', ['int', 'uint', 'uint64_t', 'int', 'void *']),
  eventfd2: declare('eventfd2', ['uint', 'int']),
  write: declare('write', ['int', 'void *', 'size_t']),
  ppoll: declare('ppoll', ['void *', 'uint', 'void *', 'void *', 'size_t']),
  ioctl: declare('ioctl', ['int', 'ulong', 'void *']),
  unshare: declare('unshare', ['int']),
  fchdir: declare('fchdir', ['int']),
  chroot: declare('chroot', ['void *']),
  mount: declare('mount', ['void *', 'void *', 'void *', 'ulong', 'void *']),
} as const satisfies Partial<Record<CallName, RawCall>>;

/** The calling thread's errno; valid only until the next foreign call. */
export function lastErrno(): number {
  return koffi.errno();
}

/**
 * The address of a buffer's first byte, for pointers that stand inside a structure such as `union bpf_attr`.
 */
export function addressOf(buffer: Uint8Array): bigint {
  return BigInt(koffi.address(buffer));
}
