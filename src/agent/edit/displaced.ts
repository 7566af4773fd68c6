import type { Editing } from '../../kernel/edit/edit-types.ts';
import { referenceIn } from '../../kernel/edit/reference-input.ts';
import { lookupElement, type MapFd } from '../../kernel/entries/elements.ts';
import type { HeldObject, Kernel } from '../../kernel/kernel.ts';
import { isSystemCallError } from '../../kernel/sys/errno.ts';
import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import { type Counters, hazardSentences, hazardsOf, type Loss } from '../../model/hazard.ts';
import { hasExactKey } from '../dump/exact-key.ts';
import type { Acceptance } from '../operation/hazards.ts';
import { pinnedObjectOf } from '../operation/holds.ts';
import { lowestCount } from '../operation/lowest-count.ts';
import { describeObject } from '../operation/sentence.ts';

/** The value under a key now; undefined where there is none, or nobody can read it. */
export function currentValue(map: MapFd, { shape }: Editing, key: Buffer): Buffer | undefined {
  const value = Buffer.alloc(shape.wireSize);
  try {
    return lookupElement(map, key, value) && hasExactKey(map, shape, key) ? value : undefined;
  } catch (error) {
    // Maps that take sockets say so where they cannot be asked; a key beyond the last slot, or of an owner of
    // the wrong kind, is told later.
    const unasked = ['EOPNOTSUPP', 'ENOTSUPP', 'ENOSPC', 'EINVAL', 'EPERM', 'ENOTSOCK', 'EBADF'] as const;
    if (isSystemCallError(error, ...unasked)) return undefined;
    throw error;
  }
}

/** The object a value keeps alive in its slot, held; undefined where there is none. */
export function holdDisplaced(
  { objects }: Kernel,
  { rule }: Editing,
  current: Buffer | undefined,
): HeldObject | undefined {
  if (current === undefined || rule.reference === undefined || rule.reference.kind === 'socket') {
    return undefined;
  }
  const reference = referenceIn(current, rule.reference);
  if (reference === undefined || reference.kind === 'socket') return undefined;
  try {
    return objects.holdById(reference.kind, reference.id);
  } catch (error) {
    if (isPinfoldError(error, 'object_not_found')) return undefined;
    throw error;
  }
}

/**
 * Why letting an object go from its slot would lose it; undefined where something else holds it. `slots` is 1
 * while the slot still holds it, 0 once it does not: then it is counted until nobody in passing can have been
 * counted, because what is found then is final. Our own descriptor counts for nothing.
 */
export function whyLost({ counters }: Kernel, held: HeldObject, slots: 0 | 1): string | undefined {
  const { kind, id, fd } = held;
  if (kind === 'btf') return undefined;
  const unavailable = counters.unavailable(kind);
  if (unavailable !== undefined) {
    return `reference counts are not available (${unavailable}), so nothing can be ruled out`;
  }
  // A slot is no user reference: only what keeps the object at all is judged here.
  const lossOf = ({ refcnt }: Counters): Loss => {
    const before = { refcnt: refcnt + BigInt(1 - slots) };
    return { kind, type: '', counters: before, ours: 1, going: 1 };
  };
  const count = () => counters.readOne(kind, id, fd);
  const read = slots === 1 ? count() : lowestCount(count, lossOf);
  if (read === undefined) return undefined;
  return hazardsOf(lossOf(read)).includes('last_reference') ? hazardSentences.last_reference : undefined;
}

/** @throws PinfoldError hazard, unless the caller agreed to lose what loses its last reference */
export function refuseLoss(held: HeldObject, why: string, { accept, force }: Acceptance): void {
  if (force || accept.has('last_reference')) return;
  throw new PinfoldError('hazard', {
    detail: `Refused unless it is accepted by name: ${describeObject(pinnedObjectOf(held))} (${why}).`,
    kind: held.kind,
    id: held.id,
    hazards: ['last_reference'],
  });
}
