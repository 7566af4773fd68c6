import type { PinPath } from '../../model/path.ts';
import type { PinChange, PinState } from '../operation/sink.ts';
import { isSameInode } from './entry.ts';
import type { Inventory } from './inventory.ts';

/**
 * What foreign hands must have done since the last look, for an operation to have found what it found.
 *
 * An operation reads the kernel, the inventory may be a moment behind. Were its events written alone,
 * history would tell of the end of a pin whose beginning it never told. So these come first, and every
 * event follows from the ones before it (test/kernel/inventory-storm.test.ts).
 */
export function missedBefore(changes: readonly PinChange[], inventory: Inventory): readonly PinChange[] {
  const view = new View(inventory);
  return changes.flatMap((change) => {
    const missed = [...missedAtOrigin(change, view), ...missedAtTarget(change, view)];
    for (const one of [...missed, change]) view.apply(one);
    return missed;
  });
}

/** Where a change found a pin that is not known by this name. */
function missedAtOrigin(change: PinChange, view: View): readonly PinChange[] {
  if (change.type === 'created') return [];
  const { before } = change;
  const known = view.find(before);
  if (known !== undefined && isSameInode(known.inode, before.inode)) return [];
  if (known !== undefined) return [{ type: 'replaced', before: known, after: before }];
  const origin = view.leftFor(before);
  return origin === undefined
    ? [{ type: 'created', after: before }]
    : [{ type: 'renamed', before: origin, after: before }];
}

/** Where a change put a pin at a name that was free, though a pin is known by it. */
function missedAtTarget(change: PinChange, view: View): readonly PinChange[] {
  if (change.type !== 'created' && change.type !== 'renamed') return [];
  const known = view.find(change.after);
  return known === undefined ? [] : [{ type: 'removed', before: known }];
}

/** The inventory with some changes applied that it does not have yet. */
class View {
  readonly #inventory: Inventory;
  readonly #changed = new Map<string, PinState | undefined>();

  constructor(inventory: Inventory) {
    this.#inventory = inventory;
  }

  find({ mount, path }: { readonly mount: string; readonly path: PinPath }): PinState | undefined {
    const key = `${mount}/${path}`;
    return this.#changed.has(key) ? this.#changed.get(key) : this.#inventory.findMount(mount)?.findPin(path);
  }

  /** A name this inode must have left: more are known than it has links. */
  leftFor(pin: PinState): PinState | undefined {
    const names = this.#inventory.namesOfInode(pin).filter((name) => this.find(name) === name);
    return names.length >= pin.inode.links ? names[0] : undefined;
  }

  apply(change: PinChange): void {
    if ('before' in change) this.#changed.set(`${change.before.mount}/${change.before.path}`, undefined);
    if ('after' in change) this.#changed.set(`${change.after.mount}/${change.after.path}`, change.after);
  }
}
