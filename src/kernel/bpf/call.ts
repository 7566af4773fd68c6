import { errnoName, SystemCallError } from '../sys/errno.ts';
import { lastErrno, raw } from '../sys/prototypes.ts';
import type { Struct } from './struct.ts';

/** The commands of bpf(2) that Pinfold uses, by number (enum bpf_cmd, include/uapi/linux/bpf.h). */
const commands = {
  BPF_MAP_CREATE: 0,
  BPF_MAP_LOOKUP_ELEM: 1,
  BPF_MAP_UPDATE_ELEM: 2,
  BPF_MAP_DELETE_ELEM: 3,
  BPF_MAP_GET_NEXT_KEY: 4,
  BPF_PROG_LOAD: 5,
  BPF_OBJ_PIN: 6,
  BPF_OBJ_GET: 7,
  BPF_PROG_GET_NEXT_ID: 11,
  BPF_MAP_GET_NEXT_ID: 12,
  BPF_PROG_GET_FD_BY_ID: 13,
  BPF_MAP_GET_FD_BY_ID: 14,
  BPF_OBJ_GET_INFO_BY_FD: 15,
  BPF_PROG_QUERY: 16,
  BPF_RAW_TRACEPOINT_OPEN: 17,
  BPF_BTF_LOAD: 18,
  BPF_BTF_GET_FD_BY_ID: 19,
  BPF_TASK_FD_QUERY: 20,
  BPF_MAP_FREEZE: 22,
  BPF_BTF_GET_NEXT_ID: 23,
  BPF_MAP_LOOKUP_BATCH: 24,
  BPF_MAP_UPDATE_BATCH: 26,
  BPF_MAP_DELETE_BATCH: 27,
  BPF_LINK_CREATE: 28,
  BPF_LINK_GET_FD_BY_ID: 30,
  BPF_LINK_GET_NEXT_ID: 31,
  BPF_ENABLE_STATS: 32,
  BPF_ITER_CREATE: 33,
} as const;

/** The name of a command, which is also how errors call it: `bpf(BPF_OBJ_PIN)`. */
export type Command = keyof typeof commands;

/**
 * One bpf(2) call; the result is a descriptor, or zero.
 *
 * @throws SystemCallError
 */
export function bpf(command: Command, attr: Struct): number {
  const result = tryBpf(command, attr);
  if (typeof result === 'number') return result;
  throw new SystemCallError(`bpf(${command})`, result);
}

/**
 * The same for callers to whom a failure is an ordinary answer: it gives the errno's name instead of
 * throwing.
 */
export function tryBpf(command: Command, attr: Struct): number | string {
  const result = raw.bpf(commands[command], attr.bytes, attr.bytes.length);
  const errno = result < 0 ? lastErrno() : 0;
  attr.release();
  return result < 0 ? errnoName(errno) : result;
}
