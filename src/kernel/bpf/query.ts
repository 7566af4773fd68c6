import type { Fd } from '../sys/fd.ts';
import { tryBpf } from './call.ts';
import { Struct } from './struct.ts';

/** `query` of union bpf_attr; `link_ids` and what follows since Linux 6.6. */
const query = {
  size: 64,
  oldSize: 40,
  target: 0,
  attachType: 4,
  queryFlags: 8,
  attachFlags: 12,
  programIds: 16,
  count: 24,
  linkIds: 40,
} as const;

/** `task_fd_query` of union bpf_attr. */
const fdQuery = {
  size: 48,
  pid: 0,
  fd: 4,
  bufLen: 12,
  buf: 16,
  programId: 24,
  type: 28,
  offset: 32,
} as const;

/** More programs than can be attached at one place (BPF_CGROUP_MAX_PROGS, BPF_MPROG_MAX). */
const programsMax = 64;

/** A program at a place. */
export interface QueriedProgram {
  readonly programId: number;
  /** The link it is attached by; 0 for none, undefined where this kernel or place does not tell. */
  readonly linkId: number | undefined;
}

/** What is attached at one place. */
export interface QueryAnswer {
  readonly programs: readonly QueriedProgram[];
  /** BPF_F_ALLOW_OVERRIDE, BPF_F_ALLOW_MULTI… of cgroups. */
  readonly attachFlags: number;
}

/**
 * Asks which programs are attached at a place, by BPF_PROG_QUERY (Linux 4.15), again and again with the same
 * memory: a tree of cgroups is thousands of questions.
 */
export class ProgramQuery {
  readonly #programIds = Buffer.alloc(4 * programsMax);
  readonly #linkIds = Buffer.alloc(4 * programsMax);

  /**
   * `target` is a descriptor, or the index of a device in the namespace of this thread.
   *
   * @returns the errno's name where the kernel refuses
   */
  ask(
    target: Fd | { readonly ifindex: number },
    attachType: number,
    options: { readonly hasLinks: boolean },
  ): QueryAnswer | string {
    const attr = new Struct(options.hasLinks ? query.size : query.oldSize)
      .u32(query.target, 'ifindex' in target ? target.ifindex : target.number)
      .u32(query.attachType, attachType)
      .pointer(query.programIds, this.#programIds)
      .u32(query.count, programsMax);
    if (options.hasLinks) attr.pointer(query.linkIds, this.#linkIds);
    const result = tryBpf('BPF_PROG_QUERY', attr);
    if (typeof result === 'string') return result;
    const count = Math.min(attr.bytes.readUInt32LE(query.count), programsMax);
    return {
      attachFlags: attr.bytes.readUInt32LE(query.attachFlags),
      programs: Array.from({ length: count }, (_, index) => ({
        programId: this.#programIds.readUInt32LE(4 * index),
        linkId: options.hasLinks ? this.#linkIds.readUInt32LE(4 * index) : undefined,
      })),
    };
  }
}

/** What a descriptor of a perf event or tracepoint runs, in bpftool's words. */
export interface TaskFdAnswer {
  readonly programId: number;
  /** `tracepoint sys_enter_openat`, `kprobe do_exit`, `uprobe /bin/sh+0x10`. */
  readonly what: string;
}

/** enum bpf_task_fd_type. */
const taskFdTypes = ['raw_tracepoint', 'tracepoint', 'kprobe', 'kretprobe', 'uprobe', 'uretprobe'] as const;

/**
 * BPF_TASK_FD_QUERY (Linux 4.18). Undefined where the descriptor runs no program, or one of type perf_event,
 * of which the kernel tells nothing (bpf_get_perf_event_info).
 */
export function queryTaskFd(pid: number, fd: number): TaskFdAnswer | undefined {
  const text = Buffer.alloc(512);
  const attr = new Struct(fdQuery.size)
    .u32(fdQuery.pid, pid)
    .u32(fdQuery.fd, fd)
    .u32(fdQuery.bufLen, text.length)
    .pointer(fdQuery.buf, text);
  const result = tryBpf('BPF_TASK_FD_QUERY', attr);
  if (typeof result === 'string' && result !== 'ENOSPC') return undefined;
  const type = taskFdTypes[attr.bytes.readUInt32LE(fdQuery.type)];
  const programId = attr.bytes.readUInt32LE(fdQuery.programId);
  if (type === undefined || programId === 0) return undefined;
  const end = text.indexOf(0);
  const name = text.toString('latin1', 0, end < 0 ? text.length : end);
  const offset = attr.bytes.readBigUInt64LE(fdQuery.offset);
  const place = offset === 0n || type.endsWith('tracepoint') ? name : `${name}+0x${offset.toString(16)}`;
  return { programId, what: place === '' ? type : `${type} ${place}` };
}
