import type { Feature } from '../../model/schema/node.ts';
import { tryBpf } from '../bpf/call.ts';
import { ProgramQuery } from '../bpf/query.ts';
import { Struct } from '../bpf/struct.ts';
import { proveVisits } from '../bpffs/mount-namespaces.ts';
import { typeNumber } from '../object/names.ts';
import { AT_FDCWD, type Calls, check, open } from '../sys/calls.ts';
import { isSystemCallError, SystemCallError } from '../sys/errno.ts';
import { raw } from '../sys/prototypes.ts';

/** Iterators that find holders; each says why it cannot be had. */
export interface HolderIteratorStates {
  readonly files: {
    readonly unavailable: string | undefined;
    readonly mappingsUnavailable: string | undefined;
  };
  readonly lists: { readonly unavailable: string | undefined };
}

/** One way of finding holders, and the call that shows whether it is there. */
export interface HolderProbe {
  readonly name: string;
  readonly since: string;
  readonly lost: string;
  readonly prove: (calls: Calls) => void;
}

/** The loopback device, which every network namespace has under this index. */
const LOOPBACK = 1;

/** KCMP_FILE of include/uapi/linux/kcmp.h, and CLONE_NEWNET of sched.h. */
const KCMP_FILE = 0;
const CLONE_NEWNET = 0x40000000;

/** A type of handle that no file system makes (FILEID_INVALID of include/linux/exportfs.h). */
const noHandle = 0xff;

/** Errors that say that a descriptor is on nothing of the sort, and so that the command is known. */
const known = ['ENOTSUPP', 'EOPNOTSUPP', 'EBADF', 'EINVAL'];

/** Each is proved by doing it, to this process or its own network namespace. */
export const holderProbes: readonly HolderProbe[] = [
  {
    name: 'prog_query_tcx',
    since: '6.6',
    lost: 'programs attached to devices by tcx or netkit without a link are not found',
    prove: () => {
      const answer = new ProgramQuery().ask({ ifindex: LOOPBACK }, typeNumber('attach', 'tcx_ingress'), {
        hasLinks: true,
      });
      if (typeof answer === 'string') throw new SystemCallError('bpf(BPF_PROG_QUERY)', answer);
    },
  },
  {
    name: 'task_fd_query',
    since: '4.18',
    lost: 'tracepoints and probes of perf events have no name',
    prove: () => {
      const result = tryBpf('BPF_TASK_FD_QUERY', new Struct(48).u32(0, process.pid).u32(4, 0x7fffffff));
      if (typeof result === 'string' && !known.includes(result)) {
        throw new SystemCallError('bpf(BPF_TASK_FD_QUERY)', result);
      }
    },
  },
  {
    name: 'network_namespaces',
    since: '3.0',
    lost: 'what is attached in other network namespaces is not found',
    prove: (calls) => {
      const place = { directory: AT_FDCWD, name: '/proc/thread-self/ns/net' } as const;
      using own = calls.openat2(place, { flags: open.RDONLY, resolve: 0 }, 'network namespace');
      check('setns', raw.setns(own.number, CLONE_NEWNET));
    },
  },
  {
    name: 'mount_namespaces',
    since: '3.8',
    lost: 'pins in mount namespaces that no process is in are not found',
    prove: proveVisits,
  },
  {
    name: 'open_by_handle',
    since: '2.6.39',
    lost: 'control groups that programs are attached to have no path',
    prove: (calls) => {
      using self = calls.openat2({ directory: AT_FDCWD, name: '/' }, { flags: open.RDONLY, resolve: 0 }, '/');
      const handle = Buffer.alloc(8);
      try {
        calls.openByHandle(self, { type: noHandle, bytes: handle }, 'nothing')[Symbol.dispose]();
      } catch (error) {
        // The right to open anything at all is asked for first (fs/fhandle.c, may_decode_fh).
        if (!isSystemCallError(error) || error.errno === 'EPERM') throw error;
      }
    },
  },
  {
    name: 'kcmp',
    since: '3.5',
    lost: 'descriptors that /proc shows count as a file each, duplicates too',
    prove: () => check('kcmp', raw.kcmp(process.pid, process.pid, KCMP_FILE, 0, 0)),
  },
];

/** What the iterators can find, as features. */
export function holderIteratorFeatures({ files, lists }: HolderIteratorStates): readonly Feature[] {
  return [
    iteratorFeature('task_file_iterator', '5.8', {
      reason: files.unavailable,
      lost: 'open files are found through /proc, and programs of open iterators and sockets are not',
    }),
    iteratorFeature('task_vma_iterator', '5.12', {
      reason: files.mappingsUnavailable,
      lost: 'maps that a process has mapped and not open have an unexplained holder',
    }),
    iteratorFeature('object_hold_iterators', '5.9', {
      reason: lists.unavailable,
      lost: 'maps and programs are opened one by one to tell what they hold',
    }),
  ];
}

function iteratorFeature(
  name: string,
  since: string,
  { reason, lost }: { readonly reason: string | undefined; readonly lost: string },
): Feature {
  if (reason === undefined) return { name, since, available: true };
  return { name, since, available: false, reason: `${reason}: ${lost}` };
}
