import { cString } from '../sys/calls.ts';
import { SystemCallError } from '../sys/errno.ts';
import type { Fd, FdTable, Lifetime } from '../sys/fd.ts';
import { bpf, tryBpf } from './call.ts';
import { Struct } from './struct.ts';

/** The anonymous structure of BPF_MAP_CREATE in union bpf_attr, as far as Pinfold fills it. */
const mapCreate = {
  size: 72,
  type: 0,
  keySize: 4,
  valueSize: 8,
  maxEntries: 12,
  flags: 16,
  innerMapFd: 20,
  numaNode: 24,
  name: 28,
  btfFd: 48,
  btfKeyTypeId: 52,
  btfValueTypeId: 56,
  btfVmlinuxValueTypeId: 60,
  mapExtra: 64,
} as const;

/** The one of BPF_BTF_LOAD. */
const btfLoad = { size: 28, btf: 0, btfSize: 16 } as const;

/** The one of BPF_MAP_UPDATE_ELEM. */
const mapElement = { size: 32, mapFd: 0, key: 8, value: 16 } as const;

/** The `batch` structure of BPF_MAP_LOOKUP_BATCH. */
const mapBatch = { size: 56, outBatch: 8, keys: 16, values: 24, count: 32, mapFd: 36 } as const;

/** The one of BPF_PROG_LOAD. */
const progLoad = {
  size: 128,
  type: 0,
  instructionCount: 4,
  instructions: 8,
  license: 16,
  name: 48,
  expectedAttachType: 68,
  attachBtfId: 108,
} as const;

/** `link_create` and `iter_create`. */
const linkCreate = { size: 64, progFd: 0, attachType: 8, iterInfo: 16, iterInfoLen: 24 } as const;
const iterCreate = { size: 8, linkFd: 0 } as const;

/** `raw_tracepoint`. */
const rawTracepoint = { size: 16, name: 0, progFd: 8 } as const;

/** BPF_OBJ_NAME_LEN. */
const NAME_LENGTH = 16;

/** Bytes of one instruction (struct bpf_insn). */
const INSTRUCTION_SIZE = 8;

/** `task` of union bpf_iter_link_info (Linux 6.1); the union has 16 bytes. */
const iterLinkInfo = { size: 16, tid: 0 } as const;

/** How a new descriptor is listed. */
interface Opening {
  readonly fds: FdTable;
  readonly lifetime?: Lifetime;
}

/** What a map is made with; zero, or absent, is what the kernel takes for nothing. */
export interface MapAttributes {
  readonly type: number;
  readonly name: string;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags?: number;
  /** Maps inside of it must be like this one. */
  readonly inner?: Fd;
  readonly numaNode?: number;
  readonly btf?: { readonly fd: Fd; readonly keyTypeId: number; readonly valueTypeId: number };
  /** struct_ops: the type of its value in the BTF of the kernel. */
  readonly vmlinuxValueTypeId?: number;
  readonly extra?: bigint;
}

/**
 * BPF_MAP_CREATE. CAP_BPF. A kernel takes fields that it does not know where they are zero
 * (bpf_check_uarg_tail_zero). @throws SystemCallError
 */
export function createMap(spec: MapAttributes, { fds, lifetime }: Opening): Fd {
  const attr = new Struct(mapCreate.size)
    .u32(mapCreate.type, spec.type)
    .u32(mapCreate.keySize, spec.keySize)
    .u32(mapCreate.valueSize, spec.valueSize)
    .u32(mapCreate.maxEntries, spec.maxEntries)
    .u32(mapCreate.flags, spec.flags ?? 0)
    .u32(mapCreate.innerMapFd, spec.inner?.number ?? 0)
    .u32(mapCreate.numaNode, spec.numaNode ?? 0)
    .text(mapCreate.name, spec.name, NAME_LENGTH)
    .u32(mapCreate.btfFd, spec.btf?.fd.number ?? 0)
    .u32(mapCreate.btfKeyTypeId, spec.btf?.keyTypeId ?? 0)
    .u32(mapCreate.btfValueTypeId, spec.btf?.valueTypeId ?? 0)
    .u32(mapCreate.btfVmlinuxValueTypeId, spec.vmlinuxValueTypeId ?? 0)
    .u64(mapCreate.mapExtra, spec.extra ?? 0n);
  return fds.adopt(bpf('BPF_MAP_CREATE', attr), `map ${spec.name}`, lifetime);
}

/** BPF_BTF_LOAD. Linux 4.18; CAP_BPF. @throws SystemCallError EINVAL where the BTF is not valid */
export function loadBtf(blob: Uint8Array, { fds, lifetime }: Opening): Fd {
  const attr = new Struct(btfLoad.size).pointer(btfLoad.btf, blob).u32(btfLoad.btfSize, blob.length);
  return fds.adopt(bpf('BPF_BTF_LOAD', attr), 'BTF', lifetime);
}

/** BPF_MAP_UPDATE_ELEM, whether or not the key is there. @throws SystemCallError */
export function updateElement(map: Fd, key: Uint8Array, value: Uint8Array): void {
  const attr = new Struct(mapElement.size)
    .u32(mapElement.mapFd, map.number)
    .pointer(mapElement.key, key)
    .pointer(mapElement.value, value);
  bpf('BPF_MAP_UPDATE_ELEM', attr);
}

/**
 * BPF_MAP_LOOKUP_BATCH from the start, of as many entries as the buffers are for. Linux 5.6.
 * @throws SystemCallError
 */
export function lookupFirstBatch(
  map: Fd,
  into: { readonly keys: Uint8Array; readonly values: Uint8Array; readonly cursor: Uint8Array },
  count: number,
): void {
  const attr = new Struct(mapBatch.size)
    .u32(mapBatch.mapFd, map.number)
    .u32(mapBatch.count, count)
    .pointer(mapBatch.outBatch, into.cursor)
    .pointer(mapBatch.keys, into.keys)
    .pointer(mapBatch.values, into.values);
  bpf('BPF_MAP_LOOKUP_BATCH', attr);
}

/** A program that is loaded; what it attaches to is said by those that name a function. */
export interface ProgramSpec {
  readonly type: number;
  readonly name: string;
  readonly instructions: Uint8Array;
  readonly expectedAttachType?: number;
  /** What the program attaches to: the id of a function in vmlinux BTF. */
  readonly attachBtfId?: number;
}

/** The verifier gives up with EAGAIN where a signal is waiting (do_check), such as a profiler sends. */
const loadAttemptsMax = 32;

/**
 * BPF_PROG_LOAD under the licence "GPL", which the helpers of iterators ask for. CAP_BPF and CAP_PERFMON.
 * @throws SystemCallError
 */
export function loadProgram(spec: ProgramSpec, { fds, lifetime }: Opening): Fd {
  for (let attempt = 1; ; attempt++) {
    const result = tryBpf('BPF_PROG_LOAD', programAttributes(spec));
    if (typeof result === 'number') return fds.adopt(result, `program ${spec.name}`, lifetime);
    if (result !== 'EAGAIN' || attempt === loadAttemptsMax) {
      throw new SystemCallError('bpf(BPF_PROG_LOAD)', result);
    }
  }
}

function programAttributes(spec: ProgramSpec): Struct {
  return new Struct(progLoad.size)
    .u32(progLoad.type, spec.type)
    .u32(progLoad.instructionCount, spec.instructions.length / INSTRUCTION_SIZE)
    .pointer(progLoad.instructions, spec.instructions)
    .pointer(progLoad.license, cString('GPL'))
    .text(progLoad.name, spec.name, NAME_LENGTH)
    .u32(progLoad.expectedAttachType, spec.expectedAttachType ?? 0)
    .u32(progLoad.attachBtfId, spec.attachBtfId ?? 0);
}

/**
 * BPF_LINK_CREATE of an iterator, over everything or over one task. Linux 5.8.
 *
 * @throws SystemCallError
 */
export function createLink(
  program: Fd,
  to: { readonly attachType: number; readonly tid?: number },
  { fds, lifetime }: Opening,
): Fd {
  const attr = new Struct(linkCreate.size)
    .u32(linkCreate.progFd, program.number)
    .u32(linkCreate.attachType, to.attachType);
  if (to.tid !== undefined) {
    const iterInfo = new Struct(iterLinkInfo.size).u32(iterLinkInfo.tid, to.tid).bytes;
    attr.pointer(linkCreate.iterInfo, iterInfo).u32(linkCreate.iterInfoLen, iterInfo.length);
  }
  return fds.adopt(bpf('BPF_LINK_CREATE', attr), `link of ${program.what}`, lifetime);
}

/** BPF_RAW_TRACEPOINT_OPEN: has a program run at a tracepoint until it is closed. @throws SystemCallError */
export function openRawTracepoint(program: Fd, name: string, { fds, lifetime }: Opening): Fd {
  const attr = new Struct(rawTracepoint.size)
    .pointer(rawTracepoint.name, cString(name))
    .u32(rawTracepoint.progFd, program.number);
  return fds.adopt(bpf('BPF_RAW_TRACEPOINT_OPEN', attr), `tracepoint ${name}`, lifetime);
}

/** BPF_ITER_CREATE: a new run of an iterator, which read(2) drives. Linux 5.8. @throws SystemCallError */
export function createIterator(link: Fd, { fds }: Opening): Fd {
  const attr = new Struct(iterCreate.size).u32(iterCreate.linkFd, link.number);
  return fds.adopt(bpf('BPF_ITER_CREATE', attr), `iterator of ${link.what}`);
}
