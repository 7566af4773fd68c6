import { PinfoldError } from '../../model/error.ts';
import type { Iterator } from './iterator.ts';
import { detailsSize, type MapDetails, parseDetails } from './map-details.ts';
import type { WantedCell } from './wanted-cell.ts';

/** All maps that are alive, by id, with what they were made with. */
export interface DetailsPass {
  /** No byte differs from the pass before: nothing need be compared. */
  readonly isSame: boolean;
  readonly maps: ReadonlyMap<number, MapDetails>;
}

/** Reads what maps were made with and their info structure does not tell; opens no map for that. */
export interface MapDetailReader {
  /** Why it cannot be read on this kernel, ending a sentence; undefined where it can. */
  readonly unavailable: string | undefined;
  /** One pass over all maps: 2 ms for 5,000. @throws PinfoldError not_supported */
  readAll(): DetailsPass;
  /** Of one map; undefined if it is gone. @throws PinfoldError not_supported */
  readOne(id: number): MapDetails | undefined;
}

/** The same through an iterator of ours, or the reason why there is none. */
export class IteratorDetails implements MapDetailReader {
  readonly unavailable: string | undefined;
  readonly #iterator: Iterator | undefined;
  readonly #wanted: WantedCell | undefined;
  #last: { readonly bytes: Buffer; readonly maps: ReadonlyMap<number, MapDetails> } | undefined;

  constructor(
    through: { readonly iterator: Iterator; readonly wanted: WantedCell } | { readonly why: string },
  ) {
    this.#iterator = 'why' in through ? undefined : through.iterator;
    this.#wanted = 'why' in through ? undefined : through.wanted;
    this.unavailable = 'why' in through ? through.why : undefined;
  }

  readAll(): DetailsPass {
    const { iterator, wanted } = this.#parts();
    wanted.want(0);
    const bytes = iterator.readAll();
    if (this.#last?.bytes.equals(bytes)) return { isSame: true, maps: this.#last.maps };
    const maps = new Map<number, MapDetails>();
    for (let at = 0; at + detailsSize <= bytes.length; at += detailsSize) {
      const details = parseDetails(bytes.subarray(at, at + detailsSize));
      maps.set(details.id, details);
    }
    this.#last = { bytes, maps };
    return { isSame: false, maps };
  }

  readOne(id: number): MapDetails | undefined {
    const { iterator, wanted } = this.#parts();
    wanted.want(id);
    const bytes = iterator.readFirst(detailsSize);
    return bytes && parseDetails(bytes);
  }

  #parts(): { readonly iterator: Iterator; readonly wanted: WantedCell } {
    if (this.#iterator !== undefined && this.#wanted !== undefined) {
      return { iterator: this.#iterator, wanted: this.#wanted };
    }
    const detail = `What maps were made with cannot be read: ${this.unavailable}.`;
    throw new PinfoldError('not_supported', { kind: 'map', detail });
  }
}
