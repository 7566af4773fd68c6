import { PinfoldError } from '../../model/error.ts';
import type { PinnableKind } from '../../model/kind.ts';
import type { Iterator } from './iterator.ts';
import { type RecordFormat, RecordMap } from './record-map.ts';
import type { WantedCell } from './wanted-cell.ts';

/** All objects of a kind that are alive, by id, with what they were made with. */
export interface DetailsPass<Details> {
  /** No byte differs from the pass before: nothing need be compared. */
  readonly isSame: boolean;
  readonly objects: RecordMap<Details>;
}

/** Reads what objects were made with and their info structures do not tell; opens none for that. */
export interface DetailReader<Details> {
  /** Why it cannot be read on this kernel, ending a sentence; undefined where it can. */
  readonly unavailable: string | undefined;
  /** One pass over all of them: 2 ms for 5,000. @throws PinfoldError not_supported */
  readAll(): DetailsPass<Details>;
  /** Of one object; undefined if it is gone. @throws PinfoldError not_supported */
  readOne(id: number): Details | undefined;
}

/** How a program lays out what it writes of one object. */
export interface DetailFormat<Details> extends RecordFormat<Details> {
  readonly kind: PinnableKind;
  /** Of the program, up to 15 letters. */
  readonly program: string;
}

/** What reads them; or the reason why nothing does. */
type Through = { readonly iterator: Iterator; readonly wanted: WantedCell } | { readonly why: string };

/** The same through an iterator of ours. */
export class IteratorDetails<Details> implements DetailReader<Details> {
  readonly #format: DetailFormat<Details>;
  readonly #through: Through;
  #last: RecordMap<Details> | undefined;

  constructor(format: DetailFormat<Details>, through: Through) {
    this.#format = format;
    this.#through = through;
  }

  get unavailable(): string | undefined {
    return 'why' in this.#through ? this.#through.why : undefined;
  }

  readAll(): DetailsPass<Details> {
    const { iterator, wanted } = this.#parts();
    wanted.want(0);
    const bytes = iterator.readAll();
    if (this.#last?.isOf(bytes)) return { isSame: true, objects: this.#last };
    this.#last = RecordMap.of(bytes, this.#format);
    return { isSame: false, objects: this.#last };
  }

  readOne(id: number): Details | undefined {
    const { iterator, wanted } = this.#parts();
    wanted.want(id);
    const bytes = iterator.readFirst(this.#format.recordSize);
    return bytes && this.#format.parse(bytes);
  }

  #parts(): { readonly iterator: Iterator; readonly wanted: WantedCell } {
    if (!('why' in this.#through)) return this.#through;
    const { kind } = this.#format;
    const detail = `What a ${kind} was made with cannot be read: ${this.#through.why}.`;
    throw new PinfoldError('not_supported', { kind, detail });
  }
}
