import { cursorOf, type Range } from './buckets.ts';
import { type BatchResult, lookupBatch, type MapFd } from './elements.ts';
import type { MapShape } from './map-shape.ts';
import type { Allocate, EntryReader } from './reader.ts';

/** Bytes of keys and values one call copies, or of one entry if that is more; larger ones were not faster. */
export const batchBytes = 256 * 1024;
const batchEntriesMax = 4096;

/**
 * A cursor is a bucket number (hash) or a key (array, lpm_trie), and the kernel writes four bytes even where
 * a key has one (kernel/bpf/hashtab.c).
 */
const cursorBytesLeast = 8;

/** So many entries may be from both sides of the end of a range; they are told apart by their keys. */
const overlapEntries = 64;

/**
 * Reads by BPF_MAP_LOOKUP_BATCH: one call for thousands of entries, each bucket whole.
 *
 * A range that ends before a bucket ends where a cursor of the kernel's is that bucket. The kernel passes
 * over empty buckets, so that a cursor may jump past it: then fewer entries are asked for, and of the last
 * few those are left out that whoever begins at that bucket reads.
 */
export class BatchReader implements EntryReader {
  keys: Buffer;
  values: Buffer;
  isDone = false;
  readonly isGivenUp = false;
  readonly #map: MapFd;
  readonly #shape: MapShape;
  readonly #before: number | undefined;
  #capacity: number;
  #from: Buffer | undefined;
  #to: Buffer;

  constructor(map: MapFd, shape: MapShape, { from, before }: Range, allocate: Allocate) {
    const { keySize, wireSize } = shape;
    const fitting = Math.floor(batchBytes / (keySize + wireSize));
    this.#map = map;
    this.#shape = shape;
    this.#capacity = Math.min(Math.max(fitting, 1), batchEntriesMax, shape.maxEntries);
    this.keys = allocate(this.#capacity * keySize);
    this.values = allocate(this.#capacity * wireSize);
    this.#before = before;
    this.#from = from === undefined ? undefined : cursor(keySize, from);
    this.#to = cursor(keySize);
  }

  get position(): Buffer | undefined {
    return this.#from;
  }

  read(atMost: number): number {
    let count = Math.min(atMost, this.#capacity);
    let fewest = Math.min(count, overlapEntries);
    for (;;) {
      const { keys, values } = this;
      const into = { keys, values, from: this.#from, to: this.#to };
      const result = lookupBatch(this.#map, into, count);
      if (result.end === 'too_small') {
        count *= 2;
        fewest = Math.max(fewest, count);
        this.#grow(count);
        continue;
      }
      if (this.#isPastRange(result)) {
        if (count > fewest) {
          count = Math.max(fewest, count >> 1);
          continue;
        }
        this.isDone = true;
        return this.#leaveOutLater(result.count);
      }
      this.isDone = result.end === 'last' || this.#to.readUInt32LE(0) === this.#before;
      // The two cursors change places: what was written is where the next call begins.
      const next = this.#to;
      this.#to = this.#from ?? cursor(this.#shape.keySize);
      this.#from = next;
      return result.count;
    }
  }

  #isPastRange({ end }: BatchResult): boolean {
    const before = this.#before;
    return before !== undefined && (end === 'last' || this.#to.readUInt32LE(0) > before);
  }

  /** Drops of what was read what stands at or after the end of the range; answers how many are left. */
  #leaveOutLater(count: number): number {
    const later = this.#keysFrom(this.#before ?? 0, Math.max(count, batchEntriesMax));
    const { keySize, wireSize } = this.#shape;
    let left = 0;
    for (let index = 0; index < count; index++) {
      const key = this.keys.subarray(index * keySize, (index + 1) * keySize);
      if (later.has(key.toString('latin1'))) continue;
      key.copy(this.keys, left * keySize);
      this.values.copy(this.values, left * wireSize, index * wireSize, (index + 1) * wireSize);
      left++;
    }
    return left;
  }

  /** The keys of the next so many entries from a bucket on. */
  #keysFrom(bucket: number, atLeast: number): ReadonlySet<string> {
    const { keySize, wireSize } = this.#shape;
    for (let count = atLeast; ; count *= 2) {
      const keys = Buffer.allocUnsafeSlow(count * keySize);
      const values = Buffer.allocUnsafeSlow(count * wireSize);
      const from = cursor(keySize, cursorOf(bucket));
      const result = lookupBatch(this.#map, { keys, values, from, to: cursor(keySize) }, count);
      if (result.end === 'too_small') continue;
      const keyAt = (index: number): string =>
        keys.toString('latin1', index * keySize, (index + 1) * keySize);
      return new Set(Array.from({ length: result.count }, (_, index) => keyAt(index)));
    }
  }

  #grow(count: number): void {
    if (count <= this.#capacity) return;
    this.#capacity = count;
    this.keys = Buffer.allocUnsafeSlow(count * this.#shape.keySize);
    this.values = Buffer.allocUnsafeSlow(count * this.#shape.wireSize);
  }
}

function cursor(keySize: number, position?: Buffer): Buffer {
  const bytes = Buffer.alloc(Math.max(keySize, cursorBytesLeast));
  position?.copy(bytes);
  return bytes;
}
