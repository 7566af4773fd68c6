import type { ObjectHoldFact, ObjectKey } from '../../model/holder/facts.ts';

/** A set of objects by kind and id. */
export class ObjectSet {
  readonly #objects = new Map<string, ObjectKey>();

  has({ kind, id }: ObjectKey): boolean {
    return this.#objects.has(`${kind}:${id}`);
  }

  /** In the order in which they were added. */
  all(): readonly ObjectKey[] {
    return [...this.#objects.values()];
  }

  /** False where it is in the set already. */
  add(object: ObjectKey): boolean {
    if (this.has(object)) return false;
    this.#objects.set(`${object.kind}:${object.id}`, object);
    return true;
  }
}

/** An object and all that hold it, directly or over others. */
export function holdersAbove(focus: ObjectKey, holds: readonly ObjectHoldFact[]): ObjectSet {
  const byHeld = new Map<string, ObjectKey[]>();
  for (const { held, holder } of holds) {
    const key = `${held.kind}:${held.id}`;
    const others = byHeld.get(key);
    if (others === undefined) byHeld.set(key, [holder]);
    else others.push(holder);
  }
  const found = new ObjectSet();
  const waiting = [focus];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (found.add(next)) waiting.push(...(byHeld.get(`${next.kind}:${next.id}`) ?? []));
  }
  return found;
}
