import { type ErrorCode, type ErrorDetails, PinfoldError } from '../../model/error.ts';
import { escapeBytes, pathMembers } from '../../model/path.ts';
import { SystemCallError } from '../sys/errno.ts';

/** What was tried on a bpffs when the kernel refused; it decides what an errno means. */
export type Attempt = keyof typeof attempts;

/** What is known of the attempt beside the errno. `path` is a byte string. */
export interface RefusalContext {
  readonly attempt: Attempt;
  readonly path: string;
  /** Further members for the answer, such as `operation_id`, `kind` and `id`. */
  readonly details?: ErrorDetails;
}

/**
 * What a failed attempt on a bpffs means to the caller.
 *
 * A failure that the tables below foresee becomes a PinfoldError with its system call and errno; anything
 * else is handed back as it came, to be thrown on: nobody foresaw it, and it must not look as if somebody
 * had.
 */
export function refusal(thrown: unknown, context: RefusalContext): unknown {
  const failure = failureOf(thrown);
  if (failure === undefined) return thrown;
  const { phrase, rows }: Meaning = attempts[context.attempt];
  const row = rows[failure.errno] ?? everywhere[failure.errno];
  if (row === undefined) return thrown;
  const path = escapeBytes(context.path);
  const detail = `Cannot ${phrase} "${path}": ${row.why}.`;
  return new PinfoldError(
    row.code,
    { detail, ...pathMembers(context.path), ...failure, ...context.details },
    thrown,
  );
}

/** Runs an attempt; its failure becomes what `refusal` makes of it. */
export function attempting<Result>(context: RefusalContext, run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    throw refusal(error, context);
  }
}

/** System call and errno of a failure, whether our own call layer threw it or node:fs did. */
function failureOf(thrown: unknown): { readonly syscall: string; readonly errno: string } | undefined {
  if (thrown instanceof SystemCallError) return { syscall: thrown.syscall, errno: thrown.errno };
  if (!(thrown instanceof Error) || !('code' in thrown) || !('syscall' in thrown)) return undefined;
  const { code, syscall } = thrown;
  return typeof code === 'string' && typeof syscall === 'string' ? { syscall, errno: code } : undefined;
}

interface Row {
  readonly code: ErrorCode;
  /** Ends the sentence `Cannot … "path": `. */
  readonly why: string;
}

type Rows = Readonly<Record<string, Row>>;

interface Meaning {
  readonly phrase: string;
  readonly rows: Rows;
}

const searchDenied: Row = {
  code: 'permission_denied',
  why: 'a directory of the path may not be searched; that needs its x bit or CAP_DAC_READ_SEARCH',
};
const writeDenied: Row = {
  code: 'permission_denied',
  why: 'the directory may not be written; that needs its w and x bits or CAP_DAC_OVERRIDE',
};
const sticky: Row = {
  code: 'permission_denied',
  why: 'the directory is sticky and the name belongs to another user; that needs CAP_FOWNER',
};
const gone: Row = { code: 'pin_not_found', why: 'there is no such name' };
const parentGone: Row = { code: 'parent_not_found', why: 'the directory does not exist' };
const directoryGone: Row = { code: 'directory_not_found', why: 'there is no such directory' };
const notDirectory: Row = { code: 'not_a_directory', why: 'part of the path is not a directory' };
const isDirectory: Row = { code: 'is_a_directory', why: 'it is a directory' };
const notEmpty: Row = { code: 'directory_not_empty', why: 'the directory is not empty' };
const mountPoint: Row = { code: 'crosses_mount', why: 'something else is mounted there' };

/** What an errno means whatever was tried, where the attempt's own table does not say otherwise. */
const everywhere: Rows = {
  EACCES: searchDenied,
  EPERM: { code: 'permission_denied', why: 'the kernel does not permit it to this process' },
  ELOOP: { code: 'symlink', why: 'a symbolic link is in the way' },
  EXDEV: { code: 'crosses_mount', why: 'another file system is mounted on the way' },
  ENOTDIR: notDirectory,
  EROFS: { code: 'read_only', why: 'the file system is mounted read-only' },
  ENAMETOOLONG: { code: 'bad_path', why: 'a name is longer than 255 bytes, or the path than 4,095' },
  ENOMEM: { code: 'out_of_memory', why: 'the kernel has no memory for it' },
  // What bpf_get_inode (kernel/bpf/inode.c) makes of a failed allocation: a bpffs itself has no size.
  ENOSPC: { code: 'out_of_memory', why: 'the kernel has no memory for another inode' },
  EAGAIN: { code: 'conflict', why: 'directories on the way kept being renamed' },
  ESTALE: { code: 'conflict', why: 'the directory was removed at the same time' },
  EMFILE: { code: 'overloaded', why: 'this process has as many descriptors open as it may' },
  ENFILE: { code: 'overloaded', why: 'the machine has as many files open as it may' },
  ENOSYS: { code: 'not_supported', why: 'this kernel does not have the system call' },
};

/**
 * The attempts with what they are called in a sentence, and what errnos mean to each.
 *
 * Sources: fs/namei.c, kernel/bpf/inode.c and kernel/bpf/syscall.c; test/kernel/bpffs-refusal.test.ts
 * provokes them.
 */
const attempts = {
  resolve: { phrase: 'reach', rows: { ENOENT: parentGone } },
  open_directory: { phrase: 'open the directory', rows: { ENOENT: directoryGone } },
  open_name: { phrase: 'open', rows: { ENOENT: gone } },
  list: { phrase: 'list', rows: { ENOENT: directoryGone, EACCES: searchDenied } },
  get: {
    phrase: 'get the object behind',
    rows: {
      ENOENT: gone,
      EACCES: {
        code: 'permission_denied',
        why: 'its mode does not let this user read and write it; that needs CAP_DAC_OVERRIDE',
      },
      EINVAL: { code: 'not_a_pin', why: 'the kernel finds no object behind it' },
    },
  },
  pin: {
    phrase: 'pin at',
    rows: {
      EEXIST: { code: 'pin_exists', why: 'the name is taken' },
      ENOENT: parentGone,
      EACCES: writeDenied,
      EINVAL: { code: 'not_pinnable', why: 'only maps, programs and links can be pinned' },
    },
  },
  unpin: {
    phrase: 'unpin',
    rows: { ENOENT: gone, EISDIR: isDirectory, EPERM: sticky, EACCES: writeDenied, EBUSY: mountPoint },
  },
  rename: {
    phrase: 'rename',
    rows: {
      ENOENT: gone,
      EEXIST: { code: 'pin_exists', why: 'the new name is taken' },
      EPERM: sticky,
      EACCES: writeDenied,
      EXDEV: { code: 'crosses_mount', why: 'the old and the new name are not on one mount' },
      EISDIR: { code: 'is_a_directory', why: 'the new name is a directory' },
      ENOTDIR: { code: 'not_a_directory', why: 'the new name is not a directory, and the old one is' },
      ENOTEMPTY: notEmpty,
      EINVAL: { code: 'invalid_input', why: 'a directory cannot be moved into itself' },
      EBUSY: mountPoint,
    },
  },
  make_directory: {
    phrase: 'make the directory',
    rows: {
      EEXIST: { code: 'already_exists', why: 'the name is taken' },
      ENOENT: parentGone,
      EACCES: writeDenied,
    },
  },
  remove_directory: {
    phrase: 'remove the directory',
    rows: {
      ENOENT: directoryGone,
      ENOTEMPTY: notEmpty,
      ENOTDIR: { code: 'not_a_directory', why: 'it is not a directory' },
      EPERM: sticky,
      EACCES: writeDenied,
      EBUSY: mountPoint,
    },
  },
  chmod: {
    phrase: 'change the mode of',
    rows: {
      ENOENT: gone,
      EPERM: { code: 'permission_denied', why: 'it belongs to another user; that needs CAP_FOWNER' },
    },
  },
  chown: {
    phrase: 'change the owner of',
    rows: {
      ENOENT: gone,
      EPERM: { code: 'permission_denied', why: 'only a process with CAP_CHOWN may give it away' },
      EINVAL: { code: 'invalid_input', why: 'this user or group does not exist in the user namespace' },
    },
  },
  watch: {
    phrase: 'watch',
    rows: {
      ENOENT: directoryGone,
      EACCES: { code: 'permission_denied', why: 'the directory may not be read' },
      ENOSPC: {
        code: 'overloaded',
        why: 'all inotify watches of this user are in use; raise fs.inotify.max_user_watches',
      },
    },
  },
  mount: {
    phrase: 'mount a bpffs at',
    rows: {
      ENOENT: directoryGone,
      EPERM: { code: 'permission_denied', why: 'mounting needs CAP_SYS_ADMIN' },
      EACCES: { code: 'permission_denied', why: 'mounting there is not permitted' },
      ENODEV: { code: 'not_supported', why: 'this kernel has no bpf file system (CONFIG_BPF_SYSCALL)' },
    },
  },
} as const satisfies Record<string, Meaning>;
