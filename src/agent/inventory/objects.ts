import type { Counters } from '../../model/hazard.ts';
import { type ObjectKind, objectKinds } from '../../model/kind.ts';
import type { ObjectInfo } from '../../model/schema/object.ts';
import type { UnheldRecord } from '../../model/unheld.ts';
import { SortedList } from './sorted-list.ts';

/** An object that is alive, as it was described last. */
export interface ObjectEntry {
  readonly kind: ObjectKind;
  readonly id: number;
  readonly fingerprint: string;
  readonly info: ObjectInfo;
  readonly firstSeen: string;
}

/** All objects that are alive, Pinfold's own left out, by kind and id. */
export class ObjectInventory {
  readonly #counters = new Map<ObjectKind, ReadonlyMap<number, Counters>>();
  readonly #kinds: ReadonlyMap<ObjectKind, OneKind> = new Map(
    objectKinds.map((kind) => [
      kind,
      { entries: new Map(), ids: new SortedList((one, other) => one - other), unheld: new Map() },
    ]),
  );

  #revision = 0;
  #unheldRevision = 0;

  /** Another number whenever an object came, went or was described anew. */
  get revision(): number {
    return this.#revision;
  }

  find(kind: ObjectKind, id: number): ObjectEntry | undefined {
    return this.#kinds.get(kind)?.entries.get(id);
  }

  set(entry: ObjectEntry): void {
    const { entries, ids } = this.#of(entry.kind);
    this.#revision++;
    if (!entries.has(entry.id)) ids.add(entry.id);
    entries.set(entry.id, entry);
  }

  remove(kind: ObjectKind, id: number): void {
    const { entries, ids } = this.#of(kind);
    this.#revision++;
    if (entries.delete(id)) ids.remove(id);
  }

  /** Another number whenever something was noted to be held by nothing but its pins, or not any more. */
  get unheldRevision(): number {
    return this.#unheldRevision;
  }

  /** Since when nothing but its pins has held an object; undefined where something does, or is not known. */
  unheldOf(kind: ObjectKind, id: number): UnheldRecord | undefined {
    const { unheld, entries } = this.#of(kind);
    const record = unheld.get(id);
    return record !== undefined && record.fingerprint === entries.get(id)?.fingerprint ? record : undefined;
  }

  /** All that was noted, also of what is gone or another object by now. */
  *unheld(): Iterable<UnheldRecord> {
    for (const { unheld } of this.#kinds.values()) yield* unheld.values();
  }

  noteUnheld(record: UnheldRecord): void {
    this.#unheldRevision++;
    this.#of(record.kind).unheld.set(record.id, record);
  }

  endUnheld(kind: ObjectKind, id: number): void {
    this.#unheldRevision++;
    this.#of(kind).unheld.delete(id);
  }

  count(kind: ObjectKind): number {
    return this.#of(kind).entries.size;
  }

  /** Ids in ascending order. */
  ids(kind: ObjectKind): SortedList<number> {
    return this.#of(kind).ids;
  }

  /** The counters of a kind at that pass: the same map where a pass showed the same. */
  countersAt(kind: ObjectKind): ReadonlyMap<number, Counters> | undefined {
    return this.#counters.get(kind);
  }

  /** What the last pass of a kind's iterator showed. */
  setCounters(kind: ObjectKind, counters: ReadonlyMap<number, Counters>): void {
    this.#counters.set(kind, counters);
  }

  /**
   * The counters of an object at the last pass of its kind's iterator; undefined where there is none, or
   * was none yet.
   */
  countersOf(kind: ObjectKind, id: number): Counters | undefined {
    return this.#counters.get(kind)?.get(id);
  }

  entries(kind: ObjectKind): IterableIterator<ObjectEntry> {
    return this.#of(kind).entries.values();
  }

  #of(kind: ObjectKind): OneKind {
    const one = this.#kinds.get(kind);
    if (one === undefined) throw new RangeError(`there is no object kind ${kind}`);
    return one;
  }
}

interface OneKind {
  readonly entries: Map<number, ObjectEntry>;
  readonly ids: SortedList<number>;
  readonly unheld: Map<number, UnheldRecord>;
}
