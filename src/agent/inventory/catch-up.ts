import type { PinChange, PinState } from '../operation/sink.ts';
import { isSameInode } from './entry.ts';

/** The pins that are there as far as history has told. */
export interface ToldPins {
  /** The pin by the name that this one has. */
  find(pin: PinState): PinState | undefined;
  /** All names of the inode that this pin is. */
  namesOfInode(pin: PinState): readonly PinState[];
}

/**
 * What foreign hands must have done since the last look, for an operation to have found what it found.
 *
 * An operation reads the kernel, history may be a moment behind. Were its events written alone, history would
 * tell of the end of a pin whose beginning it never told. So these come first, and every event follows from
 * the ones before it (test/kernel/inventory-storm.test.ts, test/crash/history.test.ts).
 */
export function missedBefore(changes: readonly PinChange[], told: ToldPins): readonly PinChange[] {
  const view = new View(told);
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

/** What was told, with some changes applied that were not told yet. */
class View {
  readonly #told: ToldPins;
  readonly #changed = new Map<string, PinState | undefined>();

  constructor(told: ToldPins) {
    this.#told = told;
  }

  find(pin: PinState): PinState | undefined {
    const key = keyOf(pin);
    return this.#changed.has(key) ? this.#changed.get(key) : this.#told.find(pin);
  }

  /** A name this inode must have left: more are known than it has links. */
  leftFor(pin: PinState): PinState | undefined {
    const names = this.#told.namesOfInode(pin).filter((name) => !this.#changed.has(keyOf(name)));
    return names.length >= pin.inode.links ? names[0] : undefined;
  }

  apply(change: PinChange): void {
    if ('before' in change) this.#changed.set(keyOf(change.before), undefined);
    if ('after' in change) this.#changed.set(keyOf(change.after), change.after);
  }
}

function keyOf({ mount, path }: PinState): string {
  return `${mount}/${path}`;
}
