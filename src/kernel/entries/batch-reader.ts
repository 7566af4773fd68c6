import { lookupBatch, type MapFd } from './elements.ts';
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

/** Reads by BPF_MAP_LOOKUP_BATCH: one call for thousands of entries, each bucket whole. */
export class BatchReader implements EntryReader {
  keys: Buffer;
  values: Buffer;
  isDone = false;
  readonly isGivenUp = false;
  readonly #map: MapFd;
  readonly #shape: MapShape;
  #capacity: number;
  #from: Buffer | undefined;
  #to: Buffer;

  constructor(map: MapFd, shape: MapShape, position: Buffer | undefined, allocate: Allocate) {
    const { keySize, wireSize } = shape;
    const fitting = Math.floor(batchBytes / (keySize + wireSize));
    this.#map = map;
    this.#shape = shape;
    this.#capacity = Math.min(Math.max(fitting, 1), batchEntriesMax, shape.maxEntries);
    this.keys = allocate(this.#capacity * keySize);
    this.values = allocate(this.#capacity * wireSize);
    this.#from = position === undefined ? undefined : cursor(keySize, position);
    this.#to = cursor(keySize);
  }

  get position(): Buffer | undefined {
    return this.#from;
  }

  read(atMost: number): number {
    let count = Math.min(atMost, this.#capacity);
    for (;;) {
      const { keys, values } = this;
      const into = { keys, values, from: this.#from, to: this.#to };
      const result = lookupBatch(this.#map, into, count);
      if (result.end === 'too_small') {
        count *= 2;
        this.#grow(count);
        continue;
      }
      this.isDone = result.end === 'last';
      // The two cursors change places: what was written is where the next call begins.
      const next = this.#to;
      this.#to = this.#from ?? cursor(this.#shape.keySize);
      this.#from = next;
      return result.count;
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
