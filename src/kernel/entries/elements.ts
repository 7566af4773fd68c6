import { tryBpf } from '../bpf/call.ts';
import { Struct } from '../bpf/struct.ts';
import { SystemCallError } from '../sys/errno.ts';

/** The structure of BPF_MAP_*_ELEM and BPF_MAP_GET_NEXT_KEY in union bpf_attr, include/uapi/linux/bpf.h. */
const element = { size: 32, mapFd: 0, key: 8, value: 16 } as const;

/** `batch` of the same union. */
const batch = { size: 56, inBatch: 0, outBatch: 8, keys: 16, values: 24, count: 32, mapFd: 36 } as const;

/** An open map; whoever opened it closes it. */
export interface MapFd {
  readonly number: number;
}

/**
 * BPF_MAP_LOOKUP_ELEM; false where there is no such key. `value` must have the bytes the map copies.
 * Without a key it is the head of a queue or stack. Linux 3.18. @throws SystemCallError
 */
export function lookupElement(map: MapFd, key: Uint8Array | undefined, value: Uint8Array): boolean {
  const attr = new Struct(element.size).u32(element.mapFd, map.number).pointer(element.value, value);
  if (key !== undefined) attr.pointer(element.key, key);
  const result = tryBpf('BPF_MAP_LOOKUP_ELEM', attr);
  if (result === 'ENOENT') return false;
  if (typeof result === 'string') throw new SystemCallError('bpf(BPF_MAP_LOOKUP_ELEM)', result);
  return true;
}

/**
 * The same for whoever looks up thousands of keys: its arguments are laid out once, which is most of what
 * one look-up takes. It looks for what is in `key` then.
 */
export class ElementLookup {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly #attr: Struct;

  constructor(map: MapFd, key: Buffer, value: Buffer) {
    this.key = key;
    this.value = value;
    this.#attr = new Struct(element.size)
      .u32(element.mapFd, map.number)
      .pointer(element.key, key)
      .pointer(element.value, value);
  }

  /** False where there is no such key. @throws SystemCallError */
  find(): boolean {
    const result = tryBpf('BPF_MAP_LOOKUP_ELEM', this.#attr);
    if (result === 'ENOENT') return false;
    if (typeof result === 'string') throw new SystemCallError('bpf(BPF_MAP_LOOKUP_ELEM)', result);
    return true;
  }
}

/**
 * BPF_MAP_GET_NEXT_KEY into `next`: the first key without one to begin at, or where that is gone; false at
 * the end. Linux 3.18, the first key 4.12. @throws SystemCallError
 */
export function nextKey(map: MapFd, after: Uint8Array | undefined, next: Uint8Array): boolean {
  const attr = new Struct(element.size).u32(element.mapFd, map.number).pointer(element.value, next);
  if (after !== undefined) attr.pointer(element.key, after);
  const result = tryBpf('BPF_MAP_GET_NEXT_KEY', attr);
  if (result === 'ENOENT') return false;
  if (typeof result === 'string') throw new SystemCallError('bpf(BPF_MAP_GET_NEXT_KEY)', result);
  return true;
}

/** What one BPF_MAP_LOOKUP_BATCH is given, and where it writes. */
export interface BatchBuffers {
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
  /** Where it begins; undefined for the beginning. */
  readonly from: Uint8Array | undefined;
  /** Where it would go on. The kernel writes max(key size, 4) bytes. */
  readonly to: Uint8Array;
}

/** What it came to. */
export interface BatchResult {
  readonly count: number;
  readonly end: 'more' | 'last' | 'too_small';
}

/**
 * BPF_MAP_LOOKUP_BATCH of up to `count` entries. At the end the kernel says ENOENT with what it still found;
 * with ENOSPC the next bucket alone has more entries than that. Linux 5.6. @throws SystemCallError
 */
export function lookupBatch(map: MapFd, buffers: BatchBuffers, count: number): BatchResult {
  const attr = new Struct(batch.size)
    .u32(batch.mapFd, map.number)
    .u32(batch.count, count)
    .pointer(batch.outBatch, buffers.to)
    .pointer(batch.keys, buffers.keys)
    .pointer(batch.values, buffers.values);
  if (buffers.from !== undefined) attr.pointer(batch.inBatch, buffers.from);
  const result = tryBpf('BPF_MAP_LOOKUP_BATCH', attr);
  if (result === 'ENOSPC') return { count: 0, end: 'too_small' };
  if (typeof result === 'string' && result !== 'ENOENT') {
    throw new SystemCallError('bpf(BPF_MAP_LOOKUP_BATCH)', result);
  }
  return { count: attr.bytes.readUInt32LE(batch.count), end: result === 'ENOENT' ? 'last' : 'more' };
}

/** Whether this kernel has BPF_MAP_LOOKUP_BATCH for the map: asked for nothing, it answers. */
export function canLookupBatch(map: MapFd): boolean {
  return (
    typeof tryBpf('BPF_MAP_LOOKUP_BATCH', new Struct(batch.size).u32(batch.mapFd, map.number)) === 'number'
  );
}
