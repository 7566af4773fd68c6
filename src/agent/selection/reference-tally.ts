import type { PinnableKind } from '../../model/kind.ts';
import type { Inventory } from '../inventory/inventory.ts';

/** Who holds: a pin, an open file, a program that uses it, a link that runs it, or anything else. */
export const referenceHolders = ['pin', 'file', 'program', 'link', 'other'] as const;
/** One of `referenceHolders`. */
export type ReferenceHolder = (typeof referenceHolders)[number];

/** How many references a sort of holder has. */
export interface HolderCount {
  readonly holder: ReferenceHolder;
  readonly count: number;
}

/**
 * Sorts the references of objects by who holds them, as far as the last observation tells: no process is
 * looked at. Counters and pins may be of moments a little apart; what comes out below zero is zero.
 */
export class ReferenceTally {
  readonly #inventory: Inventory;
  readonly #programsOfMap = new Map<number, number>();
  readonly #linksOfProgram = new Map<number, number>();

  constructor(inventory: Inventory) {
    this.#inventory = inventory;
    const { objects } = inventory;
    for (const { info } of objects.entries('program')) {
      if (info.kind === 'program') for (const id of info.map_ids ?? []) add(this.#programsOfMap, id);
    }
    for (const { info } of objects.entries('link')) {
      if (info.kind === 'link' && info.prog_id !== undefined) add(this.#linksOfProgram, info.prog_id);
    }
  }

  /** Of one object; without counters only what is seen to hold it. */
  of(kind: PinnableKind, id: number): Readonly<Partial<Record<ReferenceHolder, number>>> {
    const pin = this.#inventory.countPinnedInodes(kind, id);
    const counters = this.#inventory.objects.countersOf(kind, id);
    const refcnt = Number(counters?.refcnt ?? 0n);
    if (kind === 'link') {
      return counters === undefined ? { pin } : { pin, other: Math.max(0, refcnt - pin) };
    }
    if (kind === 'program') {
      const link = this.#linksOfProgram.get(id) ?? 0;
      return counters === undefined ? { pin, link } : { pin, link, other: Math.max(0, refcnt - pin - link) };
    }
    const program = this.#programsOfMap.get(id) ?? 0;
    if (counters === undefined) return { pin, program };
    const file = Math.max(0, Number(counters.usercnt ?? 0n) - pin);
    return { pin, file, program, other: Math.max(0, refcnt - pin - file - program) };
  }

  /** Of all objects of a kind together. */
  sum(kind: PinnableKind): readonly HolderCount[] {
    const sums = new Map<ReferenceHolder, number>();
    for (const { id } of this.#inventory.objects.entries(kind)) {
      const counts = this.of(kind, id);
      for (const holder of referenceHolders) {
        const count = counts[holder];
        if (count !== undefined) sums.set(holder, (sums.get(holder) ?? 0) + count);
      }
    }
    return [...sums].map(([holder, count]) => ({ holder, count }));
  }
}

function add(counts: Map<number, number>, key: number): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
