import { limits } from '../../model/limits.ts';
import { canLookupBatch, lookupBatch, type MapFd } from './elements.ts';
import type { MapShape } from './map-shape.ts';

/** Where reading begins and ends: cursors of LOOKUP_BATCH, of which those of hashes are bucket numbers. */
export interface Range {
  /** Where it begins; undefined for the beginning. */
  readonly from?: Buffer;
  /** The bucket before which it ends; undefined for the end. */
  readonly before?: number;
}

/** Larger values are not tried: trying takes memory for a whole bucket of them. */
const triedBytesMax = 4096;
const triedEntriesMax = 64;

/**
 * The bucket in the middle of a hash that is large enough for two to read it side by side.
 *
 * User space is not promised that a cursor is a bucket number, as it is in kernel/bpf/hashtab.c. So the
 * kernel is asked for one first, and undefined is answered where it does not look like that; `BatchReader`
 * then ends where the kernel itself comes to, or past, the middle, and takes no entry that begins there.
 *
 * @throws SystemCallError what refuses to read the map
 */
export function middleBucket(map: MapFd, shape: MapShape): number | undefined {
  const { consistency, keySize, wireSize, maxEntries } = shape;
  if (consistency !== 'per_bucket' || maxEntries < limits.dumpSplitEntriesMin) return undefined;
  if (wireSize > triedBytesMax || !canLookupBatch(map)) return undefined;
  const buckets = 2 ** Math.ceil(Math.log2(maxEntries));
  for (let count = 1; count <= triedEntriesMax; count *= 2) {
    const to = Buffer.alloc(Math.max(keySize, 8));
    const keys = Buffer.allocUnsafe(count * keySize);
    const values = Buffer.allocUnsafe(count * wireSize);
    const { end } = lookupBatch(map, { keys, values, from: undefined, to }, count);
    if (end === 'last') return undefined;
    if (end === 'too_small') continue;
    const next = to.readUInt32LE(0);
    return next > 0 && next < buckets ? buckets / 2 : undefined;
  }
  return undefined;
}

/** A bucket as the cursor that begins at it. */
export function cursorOf(bucket: number): Buffer {
  const cursor = Buffer.alloc(4);
  cursor.writeUInt32LE(bucket);
  return cursor;
}
