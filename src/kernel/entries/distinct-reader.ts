import { limits } from '../../model/limits.ts';
import type { MapShape } from './map-shape.ts';
import type { EntryReader } from './reader.ts';

/**
 * Leaves out keys that come a second time, and ends a reading that goes round and round.
 *
 * The kernel begins again at the first key where the one it stands at is deleted (trie_get_next_key in
 * kernel/bpf/lpm_trie.c and its kin). So many keys are remembered; beyond that a repeated one may show.
 */
export class DistinctReader implements EntryReader {
  isDone = false;
  isGivenUp = false;
  readonly #reader: EntryReader;
  readonly #shape: MapShape;
  readonly #seen = new Set<string>();
  #readAll = 0;

  constructor(reader: EntryReader, shape: MapShape) {
    this.#reader = reader;
    this.#shape = shape;
  }

  get keys(): Buffer {
    return this.#reader.keys;
  }

  get values(): Buffer {
    return this.#reader.values;
  }

  get position(): Buffer | undefined {
    return this.#reader.position;
  }

  read(atMost: number): number {
    const count = this.#reader.read(atMost);
    this.#readAll += count;
    const isTooMuch = this.#readAll > 2 * this.#shape.maxEntries + count;
    this.isGivenUp = this.#reader.isGivenUp || (isTooMuch && !this.#reader.isDone);
    this.isDone = this.#reader.isDone || isTooMuch;
    return this.#keepNew(count);
  }

  /** Moves the entries with new keys together; answers how many there are. */
  #keepNew(count: number): number {
    const { keySize, wireSize } = this.#shape;
    const { keys, values } = this.#reader;
    let kept = 0;
    for (let index = 0; index < count; index++) {
      const key = keys.toString('latin1', index * keySize, (index + 1) * keySize);
      if (this.#seen.has(key)) continue;
      if (this.#seen.size < limits.dumpKeysRememberedMax) this.#seen.add(key);
      if (kept < index) {
        keys.copyWithin(kept * keySize, index * keySize, (index + 1) * keySize);
        values.copyWithin(kept * wireSize, index * wireSize, (index + 1) * wireSize);
      }
      kept++;
    }
    return kept;
  }
}
