import { tryBpf } from '../bpf/call.ts';
import { Struct } from '../bpf/struct.ts';
import type { MapFd } from '../entries/elements.ts';

/** The structure of BPF_MAP_*_ELEM in union bpf_attr, include/uapi/linux/bpf.h. */
const element = { size: 32, mapFd: 0, key: 8, value: 16, flags: 24 } as const;

/** `batch` of the same union. */
const batch = { size: 56, keys: 16, values: 24, count: 32, mapFd: 36 } as const;

/** Whether an entry is to be made, to be changed, or either: BPF_ANY, BPF_NOEXIST, BPF_EXIST. */
export const modeFlags = { any: 0n, create: 1n, update: 2n } as const;

/** One of `modeFlags`. */
export type EditMode = keyof typeof modeFlags;

/** What is written: no key for queues, stacks and bloom filters. */
export interface Element {
  readonly key: Uint8Array | undefined;
  readonly value: Uint8Array;
}

/** BPF_MAP_UPDATE_ELEM; the errno's name where the kernel refuses. Linux 3.18. */
export function tryUpdate(map: MapFd, { key, value }: Element, mode: EditMode): string | undefined {
  const attr = new Struct(element.size)
    .u32(element.mapFd, map.number)
    .pointer(element.value, value)
    .u64(element.flags, modeFlags[mode]);
  if (key !== undefined) attr.pointer(element.key, key);
  return refused(tryBpf('BPF_MAP_UPDATE_ELEM', attr));
}

/** BPF_MAP_DELETE_ELEM; the errno's name where the kernel refuses. Linux 3.18. */
export function tryDelete(map: MapFd, key: Uint8Array): string | undefined {
  const attr = new Struct(element.size).u32(element.mapFd, map.number).pointer(element.key, key);
  return refused(tryBpf('BPF_MAP_DELETE_ELEM', attr));
}

/** How far a batch came: `count` entries are done, and the one behind them is what the errno is about. */
export interface BatchOutcome {
  readonly count: number;
  readonly errno: string | undefined;
}

/**
 * BPF_MAP_UPDATE_BATCH, which stops at the first entry that is refused. Linux 5.6; no modes but `any`
 * (generic_map_update_batch in kernel/bpf/syscall.c).
 */
export function updateBatch(
  map: MapFd,
  { keys, values }: { readonly keys: Uint8Array; readonly values: Uint8Array },
  count: number,
): BatchOutcome {
  const attr = new Struct(batch.size)
    .u32(batch.mapFd, map.number)
    .pointer(batch.keys, keys)
    .pointer(batch.values, values)
    .u32(batch.count, count);
  const errno = refused(tryBpf('BPF_MAP_UPDATE_BATCH', attr));
  return { count: attr.bytes.readUInt32LE(batch.count), errno };
}

/** BPF_MAP_DELETE_BATCH, which stops at the first key that is not there. Linux 5.6. */
export function deleteBatch(map: MapFd, keys: Uint8Array, count: number): BatchOutcome {
  const attr = new Struct(batch.size)
    .u32(batch.mapFd, map.number)
    .pointer(batch.keys, keys)
    .u32(batch.count, count);
  const errno = refused(tryBpf('BPF_MAP_DELETE_BATCH', attr));
  return { count: attr.bytes.readUInt32LE(batch.count), errno };
}

/** Whether this kernel has the batch for the map: asked to do nothing, it does. */
export function canBatch(map: MapFd, command: 'BPF_MAP_UPDATE_BATCH' | 'BPF_MAP_DELETE_BATCH'): boolean {
  return refused(tryBpf(command, new Struct(batch.size).u32(batch.mapFd, map.number))) === undefined;
}

/** BPF_MAP_FREEZE: no writes from user space any more, for good; the errno's name. Linux 5.2. */
export function tryFreeze(map: MapFd): string | undefined {
  return refused(tryBpf('BPF_MAP_FREEZE', new Struct(4).u32(0, map.number)));
}

function refused(result: number | string): string | undefined {
  return typeof result === 'string' ? result : undefined;
}
