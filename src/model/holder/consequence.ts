import { type Hazard, hazardsOf } from '../hazard.ts';
import { limits } from '../limits.ts';
import type { ObjectKey } from './facts.ts';
import { keyOf, type PinnedInode } from './holders.ts';
import { type LifeParts, Survival } from './survival.ts';

/** What would happen if one name of a pin were removed. */
export interface Consequence {
  readonly pin: PinnedInode;
  /** What `DELETE /v1/pins/…` would have to be told to accept. */
  readonly hazards: readonly Hazard[];
  /** Objects on the way to the one asked about that would be freed, nearest to the pin first. */
  readonly freed: readonly ObjectKey[];
  /**
   * Objects of which it cannot be told whether something else holds them, and what hangs on those: programs
   * with more references than are found, and whatever the kernel's counters are not known of.
   */
  readonly perhapsFreed: readonly ObjectKey[];
  /** Links among `freed` that are attached to something now. */
  readonly detached: readonly ObjectKey[];
}

/** What is told, and of how many pins nothing is. */
export interface Consequences {
  readonly told: readonly Consequence[];
  readonly leftOut: number;
}

/** What is needed beside the parts of Survival. */
export interface ConsequenceParts extends LifeParts {
  /** False where a link's target is already gone. */
  readonly isAttached: (link: ObjectKey) => boolean;
}

/**
 * What each pin's removal would cost, for the pins on the way to an object: its own first, then those of what
 * holds it. At most `limits.consequencesMax` pins; an inode with several names loses nothing with one of
 * them.
 */
export function consequencesFor(parts: ConsequenceParts, object: ObjectKey): Consequences {
  const objects = parts.holders.above(object);
  const survival = new Survival(parts, objects);
  const now = survival.without();
  const pins = objects
    .flatMap((one) => parts.holders.of(one))
    .flatMap((holder) => (holder.by === 'pin' ? holder.pin : []));
  const told = pins.slice(0, limits.consequencesMax).map((pin): Consequence => {
    if (pin.paths.length > 1) return { pin, hazards: [], freed: [], perhapsFreed: [], detached: [] };
    const then = survival.without(pin);
    const nearestFirst = [
      pin.object,
      ...objects.toReversed().filter((one) => keyOf(one) !== keyOf(pin.object)),
    ];
    const freed = nearestFirst.filter((one) => now.alive.has(keyOf(one)) && !then.perhaps.has(keyOf(one)));
    const perhapsFreed = nearestFirst.filter(
      (one) => now.alive.has(keyOf(one)) && !then.alive.has(keyOf(one)) && then.perhaps.has(keyOf(one)),
    );
    const detached = freed.filter((one) => one.kind === 'link' && parts.isAttached(one));
    const hazards = hazardsOfPin(parts, { pin, survival, mayGo: [...freed, ...perhapsFreed] });
    return { pin, hazards, freed, perhapsFreed, detached };
  });
  return { told, leftOut: pins.length - told.length };
}

/** By the kernel's counters, as the unpin itself will judge; by what was found where there are none. */
function hazardsOfPin(
  parts: ConsequenceParts,
  {
    pin,
    survival,
    mayGo,
  }: {
    readonly pin: PinnedInode;
    readonly survival: Survival;
    readonly mayGo: readonly ObjectKey[];
  },
): readonly Hazard[] {
  const { object } = pin;
  if (object.kind === 'btf') return [];
  const counters = parts.countersOf(object);
  const type = parts.typeOf(object) ?? '';
  if (counters !== undefined) {
    const isAttached = parts.isAttached(object);
    return hazardsOf({ kind: object.kind, type, counters, ours: 0, going: 1, isAttached });
  }
  const isFreed = mayGo.some((one) => keyOf(one) === keyOf(object));
  const found: Hazard[] = isFreed ? ['last_reference'] : [];
  if (type === 'prog_array' && !survival.hasUsers(object, pin)) found.push('prog_array_emptied');
  if (isFreed && object.kind === 'link' && parts.isAttached(object)) found.push('link_detached');
  return found;
}
