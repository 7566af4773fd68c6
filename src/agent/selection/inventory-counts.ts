import { type ObjectKind, objectKinds, type PinnableKind, pinnableKinds } from '../../model/kind.ts';
import type { Inventory } from '../inventory/inventory.ts';
import { type HolderCount, ReferenceTally } from './reference-tally.ts';
import { Remembered } from './remembered.ts';

/** Objects of one type. */
export interface TypeCount {
  readonly kind: ObjectKind;
  readonly type: string;
  readonly count: number;
  /** Memory of those that tell; undefined where none does. */
  readonly bytes: number | undefined;
}

/** Pins of one kind in one instance. */
export interface PinCount {
  readonly mount: string;
  readonly kind: PinnableKind;
  readonly count: number;
}

/** References of a kind of objects by who holds them. */
export type ReferenceCount = HolderCount & { readonly kind: PinnableKind };

/**
 * What memory holds, counted. Where nothing has moved since it was counted last, it is not counted again: a
 * scrape of ten thousand pins that rest costs no more than one of ten.
 */
export class InventoryCounts {
  readonly #inventory: Inventory;
  readonly #types = new Remembered<readonly TypeCount[]>();
  readonly #pins = new Remembered<readonly PinCount[]>();
  readonly #references = new Remembered<readonly ReferenceCount[]>();

  constructor(inventory: Inventory) {
    this.#inventory = inventory;
  }

  types(): readonly TypeCount[] {
    const { objects } = this.#inventory;
    return this.#types.of([objects.revision], () => objectKinds.flatMap((kind) => this.#typesOf(kind)));
  }

  pins(): readonly PinCount[] {
    const { revision } = this.#inventory;
    return this.#pins.of([revision], () => [...this.#inventory.mounts()].flatMap(countPins));
  }

  references(): readonly ReferenceCount[] {
    return this.#references.of(revisionsOf(this.#inventory), () => {
      const tally = new ReferenceTally(this.#inventory);
      return pinnableKinds.flatMap((kind) => tally.sum(kind).map((each) => ({ kind, ...each })));
    });
  }

  #typesOf(kind: ObjectKind): readonly TypeCount[] {
    const found = new Map<string, { count: number; bytes: number | undefined }>();
    for (const { info } of this.#inventory.objects.entries(kind)) {
      const known = found.get(info.type) ?? { count: 0, bytes: undefined };
      known.count++;
      if ('memlock' in info && info.memlock !== undefined) known.bytes = (known.bytes ?? 0) + info.memlock;
      found.set(info.type, known);
    }
    return [...found].map(([type, each]) => ({ kind, type, ...each }));
  }
}

/** What is another whenever a pin, an object or a counter is. */
export function revisionsOf(inventory: Inventory): readonly unknown[] {
  const { revision, objects } = inventory;
  return [revision, objects.revision, ...pinnableKinds.map((kind) => objects.countersAt(kind))];
}

function countPins(names: ReturnType<Inventory['openMount']>): readonly PinCount[] {
  const counts = new Map<PinnableKind, number>(pinnableKinds.map((kind) => [kind, 0]));
  for (const path of names.pinPaths.items()) {
    const kind = names.findPin(path)?.object.kind;
    if (kind !== undefined) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].map(([kind, count]) => ({ mount: names.mount, kind, count }));
}
