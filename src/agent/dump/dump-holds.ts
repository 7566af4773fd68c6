import type { CounterReader, HeldObject } from '../../kernel/kernel.ts';
import type { Counters } from '../../model/hazard.ts';
import type { PinnableKind } from '../../model/kind.ts';

/**
 * The maps that are being read, each held by one descriptor of this process.
 *
 * They are opened and closed on the main thread, in the same moment in which they are listed here; threads
 * only use the number. So whoever counts references knows at any time exactly which are a dump's.
 */
export class DumpHolds {
  readonly #counts = new Map<number, number>();

  /** Lists a map until what it answers is disposed, which closes it. */
  add(held: HeldObject): Disposable {
    this.#counts.set(held.id, this.countOf(held.id) + 1);
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        held[Symbol.dispose]();
        const left = this.countOf(held.id) - 1;
        if (left > 0) this.#counts.set(held.id, left);
        else this.#counts.delete(held.id);
      },
    };
  }

  /** How many references on a map are those of dumps now. */
  countOf(mapId: number): number {
    return this.#counts.get(mapId) ?? 0;
  }

  /** The maps that are being read now. */
  mapIds(): readonly number[] {
    return [...this.#counts.keys()];
  }
}

/**
 * The kernel's counters as they would be if nobody dumped: what is shown and what hazards are judged by.
 *
 * An open map counts once as reference and once as user (bpf_map_inc_with_uref in kernel/bpf/syscall.c).
 */
export function countersWithout(holds: DumpHolds, counters: CounterReader): CounterReader {
  const without = (read: Counters, kind: PinnableKind, id: number): Counters => {
    const ours = kind === 'map' ? BigInt(holds.countOf(id)) : 0n;
    if (ours === 0n) return read;
    const { refcnt, usercnt } = read;
    return { ...read, refcnt: refcnt - ours, ...(usercnt === undefined ? {} : { usercnt: usercnt - ours }) };
  };
  return {
    unavailable: (kind) => counters.unavailable(kind),
    readOne: (...wanted) => {
      const [kind, id] = wanted;
      const read = counters.readOne(...wanted);
      return read === undefined ? undefined : without(read, kind, id);
    },
    readAll: (kind) => {
      const all = counters.readAll(kind);
      const held = kind === 'map' ? holds.mapIds().filter((id) => all.has(id)) : [];
      if (held.length === 0) return all;
      return all.adjusted((read, id) => without(read, kind, id));
    },
  };
}
