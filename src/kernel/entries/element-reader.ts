import { batchBytes } from './batch-reader.ts';
import { lookupElement, type MapFd, nextKey } from './elements.ts';
import type { MapShape } from './map-shape.ts';
import type { Allocate, EntryReader } from './reader.ts';

/** Entries and attempts of one `read`, so that whoever reads can stop in between. */
const entriesMax = 256;
const attemptsMax = 1024;

/** Reads entry by entry: slot after slot, or from each key to the next, where the kernel has no batches. */
export class ElementReader implements EntryReader {
  readonly keys: Buffer;
  readonly values: Buffer;
  isDone = false;
  isGivenUp = false;
  readonly #map: MapFd;
  readonly #shape: MapShape;
  readonly #step: KeyStep;
  readonly #capacity: number;
  #attempts = 0;

  constructor(map: MapFd, shape: MapShape, position: Buffer | undefined, allocate: Allocate) {
    const { keySize, wireSize } = shape;
    this.#map = map;
    this.#shape = shape;
    this.#step = shape.way === 'indices' ? indexSteps(shape, position) : keySteps(map, shape, position);
    this.#capacity = Math.min(Math.max(Math.floor(batchBytes / (keySize + wireSize)), 1), entriesMax);
    this.keys = allocate(this.#capacity * keySize);
    this.values = allocate(this.#capacity * wireSize);
  }

  get position(): Buffer | undefined {
    return this.#step.last();
  }

  read(atMost: number): number {
    const { keySize, wireSize, maxEntries } = this.#shape;
    const wanted = Math.min(atMost, this.#capacity);
    let count = 0;
    for (let attempt = 0; attempt < attemptsMax && count < wanted; attempt++) {
      const key = this.#step.next();
      // Keys that go while they are stood on lead back to the first one: without a bound, for ever.
      if (key === undefined || this.#attempts++ > 2 * maxEntries + attemptsMax) {
        this.isDone = true;
        this.isGivenUp = key !== undefined;
        break;
      }
      const value = this.values.subarray(count * wireSize, (count + 1) * wireSize);
      if (!lookupElement(this.#map, key, value)) continue;
      key.copy(this.keys, count * keySize);
      count++;
    }
    return count;
  }
}

/** How the next key is found; each is good until the next but one. */
interface KeyStep {
  next(): Buffer | undefined;
  last(): Buffer | undefined;
}

function indexSteps({ maxEntries }: MapShape, position: Buffer | undefined): KeyStep {
  let next = position === undefined ? 0 : position.readUInt32LE(0) + 1;
  const key = Buffer.alloc(4);
  key.writeUInt32LE(Math.max(next - 1, 0));
  return {
    next: () => {
      if (next >= maxEntries) return undefined;
      key.writeUInt32LE(next++);
      return key;
    },
    last: () => (next === 0 ? undefined : key),
  };
}

function keySteps(map: MapFd, { keySize }: MapShape, position: Buffer | undefined): KeyStep {
  // A position comes from outside: the kernel reads a whole key from it, however short it is.
  const start =
    position === undefined ? undefined : Buffer.concat([position, Buffer.alloc(keySize)], keySize);
  let last: Buffer | undefined = start;
  let free: Buffer = Buffer.alloc(keySize);
  return {
    next: () => {
      const key = free;
      if (!nextKey(map, last, key)) return undefined;
      free = last ?? Buffer.alloc(keySize);
      last = key;
      return key;
    },
    last: () => last,
  };
}
