import { nextObjectId } from '../bpf/objects.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { DetailReader } from './detail-reader.ts';
import type { RecordMap } from './record-map.ts';
import type { ShownMap } from './shown-map.ts';

/** BPF_MAP_TYPE_PROG_ARRAY of enum bpf_map_type. */
const PROG_ARRAY = 3;

/** Why such a map is not opened, ending a sentence. */
export const whyUnopened =
  'no process and no pin holds this prog_array, and the kernel may keep it for ever where that is done';

/** Knows which maps must not be opened by their ids. */
export interface UnusedTables {
  /**
   * What there is to know of a prog_array without user references; undefined for every other map. A few
   * microseconds for most maps, one pass over all for a prog_array and for a map never asked about before.
   */
  find(id: number): ShownMap | undefined;
}

/**
 * Prog_arrays that only programs use. Whoever opens one by its id is its only user, and when that descriptor
 * is closed the kernel empties it: it takes a reference for the work that does so, and loses it where that
 * work is waiting already (prog_array_map_clear, kernel/bpf/arraymap.c). The map then lives until the next
 * boot. All of them were emptied when their last user went, so that nothing is missed by not opening them.
 */
export class KernelUnusedTables implements UnusedTables {
  readonly #shown: DetailReader<ShownMap>;
  /** The last pass: a map's type never changes, and ids are given out in a circle of 2^31. */
  #last: RecordMap<ShownMap> | undefined;

  constructor(shown: DetailReader<ShownMap>) {
    this.#shown = shown;
  }

  find(id: number): ShownMap | undefined {
    if (this.#shown.unavailable !== undefined || this.#typeOf(id) !== PROG_ARRAY) return undefined;
    const map = this.#shown.readOne(id);
    return map?.type === PROG_ARRAY && map.userCount === 0 ? map : undefined;
  }

  #typeOf(id: number): number | undefined {
    const known = this.#last?.get(id);
    if (known !== undefined) return known.type;
    // One pass tells of all that came since the last; what is gone meanwhile is not worth another.
    if (!isThere(id)) return undefined;
    this.#last = this.#shown.readAll().objects;
    return this.#last.get(id)?.type;
  }
}

/** Where ids may not be asked for nothing is opened by them either. */
function isThere(id: number): boolean {
  try {
    return nextObjectId('map', Math.max(0, id - 1)) === id;
  } catch (error) {
    if (isSystemCallError(error, 'EPERM')) return false;
    throw error;
  }
}
