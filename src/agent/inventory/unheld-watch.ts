import type { CounterReader } from '../../kernel/kernel.ts';
import type { Clock } from '../../model/clock.ts';
import { type PinnableKind, pinnableKinds } from '../../model/kind.ts';
import type { Store } from '../../model/store.ts';
import type { UnheldRecord } from '../../model/unheld.ts';
import type { Inventory } from './inventory.ts';

/** What it takes to know since when nothing holds what. */
export interface UnheldWatchParts {
  readonly counters: CounterReader;
  readonly clock: Clock;
  readonly inventory: Inventory;
  readonly store: Pick<Store, 'unheld'>;
  readonly bootId: string;
}

/** Rows that are written at one look, some milliseconds; more wait for the next. */
const rowsMax = 1000;

type Key = Pick<UnheldRecord, 'kind' | 'id'>;

/**
 * Notes in the inventory since when nothing but its own pins has held an object, and remembers it across
 * restarts of the agent.
 *
 * A look that sees a holder ends it; what only looks in passing is not taken for one, because it is looked
 * for twice. Who held an object between two looks, or while no agent ran, and let go again, is not noticed.
 */
export class UnheldWatch {
  readonly #parts: UnheldWatchParts;
  #last: readonly unknown[] = [];
  #isRecalled = false;
  /** What rows are behind of. */
  readonly #due = new Map<string, Key>();

  constructor(parts: UnheldWatchParts) {
    this.#parts = parts;
  }

  /** Called when counters or pins may have been read anew; costs nothing where they are the same. */
  look(): void {
    const { inventory } = this.#parts;
    const counters = pinnableKinds.map((kind) => inventory.objects.countersAt(kind));
    const seen = [inventory.revision, inventory.objects.revision, ...counters];
    if (counters.some((each) => each !== undefined) && seen.some((one, at) => one !== this.#last[at])) {
      this.#recall();
      this.#compare();
      this.#last = seen;
    }
    this.#write();
  }

  #compare(): void {
    const { objects } = this.#parts.inventory;
    const doubtful: Key[] = [];
    for (const { kind, id } of this.#parts.inventory.pinnedObjects()) {
      const key = { kind, id };
      const entry = objects.find(kind, id);
      const refcnt = objects.countersOf(kind, id)?.refcnt;
      if (entry === undefined || refcnt === undefined) continue;
      const isKnown = objects.unheldOf(kind, id) !== undefined;
      const isHeld = this.#isHeld(key, refcnt);
      if (isHeld && isKnown) doubtful.push(key);
      if (!isHeld && !isKnown) this.#begin({ ...key, fingerprint: entry.fingerprint });
    }
    const gone = [...objects.unheld()].filter((record) => !this.#isCounted(record));
    for (const key of [...gone, ...this.#stillHeld(doubtful)]) this.#end(key);
  }

  #isCounted({ kind, id }: Key): boolean {
    const { inventory } = this.#parts;
    const isThere = inventory.isPinned(kind, id) && inventory.objects.find(kind, id) !== undefined;
    return isThere && inventory.objects.countersOf(kind, id) !== undefined;
  }

  #isHeld({ kind, id }: Key, refcnt: bigint): boolean {
    return refcnt > BigInt(this.#parts.inventory.countPinnedInodes(kind, id));
  }

  /** Those of them that are held at another pass over the counters. */
  #stillHeld(objects: readonly Key[]): readonly Key[] {
    const { counters } = this.#parts;
    return pinnableKinds.flatMap((kind) => {
      const ofKind = objects.filter((object) => object.kind === kind);
      if (ofKind.length === 0) return [];
      const again = counters.readAll(kind);
      return ofKind.filter((object) => this.#isHeld(object, again.get(object.id)?.refcnt ?? 0n));
    });
  }

  #begin(object: Omit<UnheldRecord, 'since' | 'sinceBootMs'>): void {
    const { clock, inventory } = this.#parts;
    const record = { ...object, since: clock.now().toISOString(), sinceBootMs: clock.bootMs() };
    inventory.objects.noteUnheld(record);
    this.#due.set(textOf(object), object);
  }

  #end(object: Key): void {
    this.#parts.inventory.objects.endUnheld(object.kind, object.id);
    this.#due.set(textOf(object), object);
  }

  #recall(): void {
    if (this.#isRecalled) return;
    this.#isRecalled = true;
    const { store, bootId, inventory } = this.#parts;
    for (const record of store.unheld.recall(bootId)) {
      // What is another object by now, or not there, is due to be removed.
      inventory.objects.noteUnheld(record);
      if (inventory.objects.unheldOf(record.kind, record.id) === undefined) this.#end(record);
    }
  }

  #write(): void {
    if (this.#due.size === 0) return;
    const { store, bootId, inventory } = this.#parts;
    const due = [...this.#due.values()].slice(0, rowsMax);
    const records = due.flatMap(({ kind, id }) => inventory.objects.unheldOf(kind, id) ?? []);
    const others = due.filter(({ kind, id }) => inventory.objects.unheldOf(kind, id) === undefined);
    store.unheld.update(bootId, { put: records, remove: others });
    for (const object of due) this.#due.delete(textOf(object));
  }
}

function textOf({ kind, id }: { readonly kind: PinnableKind; readonly id: number }): string {
  return `${kind}:${id}`;
}
