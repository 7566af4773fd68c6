import { PinfoldError } from '../../model/error.ts';
import type { Btf } from '../btf/btf.ts';
import { enter, leave } from './emit.ts';
import { entryCountFunction } from './entry-count.ts';
import { assemble, callKernelFunction, load, move, storeOnStack } from './instruction.ts';
import type { Iterator } from './iterator.ts';
import { type ListLayout, learnListLayout } from './layout.ts';
import { type RecordFormat, RecordMap } from './record-map.ts';

/** A record is the map's id and its count, each a u64. */
const RECORD_SIZE = 16;
const entryCounts: RecordFormat<number> = {
  recordSize: RECORD_SIZE,
  parse: (record) => Number(record.readBigInt64LE(8)),
};

/** How many entries maps have, as the kernel counts them; opens no map for that. */
export interface EntryCountReader {
  /** Why it cannot be read on this kernel, ending a sentence; undefined where it can. */
  readonly unavailable: string | undefined;
  /**
   * One pass over all maps, by id; the same map where it showed the same as the one before. Maps whose
   * kernel keeps no count, which are all but hash maps, have 0.
   *
   * @throws PinfoldError not_supported
   */
  readAll(): ReadonlyMap<number, number>;
}

/** The same through an iterator of ours, or the reason why there is none. */
export class IteratorEntryCounts implements EntryCountReader {
  readonly unavailable: string | undefined;
  readonly #iterator: Iterator | undefined;
  #last: RecordMap<number> | undefined;

  constructor(through: { readonly iterator: Iterator } | { readonly why: string }) {
    this.#iterator = 'why' in through ? undefined : through.iterator;
    this.unavailable = 'why' in through ? through.why : undefined;
  }

  readAll(): ReadonlyMap<number, number> {
    if (this.#iterator === undefined) {
      const detail = `Entries of maps cannot be counted: ${this.unavailable}.`;
      throw new PinfoldError('not_supported', { kind: 'map', detail });
    }
    const bytes = this.#iterator.readAll();
    if (this.#last?.isOf(bytes) !== true) this.#last = RecordMap.of(bytes, entryCounts);
    return this.#last;
  }
}

/**
 * The program that an iterator over all maps runs for each: it writes the map's id and how many entries it
 * has (bpf_map_sum_elem_count, kernel/bpf/map_iter.c, Linux 6.6).
 *
 * @throws RangeError where the kernel has no such function
 */
export function entryCountsProgram(btf: Btf): { readonly layout: ListLayout; readonly code: Buffer } {
  const functionId = entryCountFunction(btf);
  const layout = learnListLayout(btf, 'map');
  const code = assemble([
    ...enter(layout, layout.object),
    load(8, 6, layout.id),
    storeOnStack(-RECORD_SIZE, 8),
    move(1, 6),
    callKernelFunction(functionId),
    storeOnStack(-RECORD_SIZE + 8, 0),
    ...leave(RECORD_SIZE),
  ]);
  return { layout, code };
}
