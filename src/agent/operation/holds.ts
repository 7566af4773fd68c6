import type { HeldObject, KnownObjects } from '../../kernel/kernel.ts';
import { PinfoldError } from '../../model/error.ts';
import type { ObjectKind, PinnableKind } from '../../model/kind.ts';
import type { PinnedObject } from './sink.ts';

/**
 * Every object the operations of a group hold; closed with it, last of all.
 *
 * Each hold is one reference of ours in the kernel's counters, so that hazards can be decided without them. A
 * duplicate of another process's descriptor shares that process's reference; counting it as ours errs on the
 * safe side.
 */
export class Holds implements KnownObjects, Disposable {
  readonly #held: HeldObject[] = [];

  /** Takes over an object; its descriptor is closed with this. */
  add(held: HeldObject): HeldObject {
    if (!this.#held.includes(held)) this.#held.push(held);
    return held;
  }

  get holdsAny(): boolean {
    return this.#held.length > 0;
  }

  /** An object that is held already; while it is, its id is nobody else's. */
  find(kind: ObjectKind, id: number): HeldObject | undefined {
    return this.#held.find((held) => held.kind === kind && held.id === id);
  }

  /** How many references on an object are ours now. */
  countOf(object: Pick<PinnedObject, 'kind' | 'id'>): number {
    return this.#held.filter((held) => held.kind === object.kind && held.id === object.id).length;
  }

  [Symbol.dispose](): void {
    for (const held of this.#held.splice(0).reverse()) held[Symbol.dispose]();
  }
}

/**
 * What a held object is to a pin. @throws PinfoldError not_pinnable for BTF, which the kernel refuses to pin
 */
export function pinnedObjectOf(held: HeldObject): PinnedObject {
  const { info, id, fingerprint } = held;
  return { kind: pinnable(held), id, type: info.type, name: 'name' in info ? info.name : '', fingerprint };
}

/**
 * The same object, not merely the same id. A link's fingerprint changes when its program is replaced or its
 * target goes, while it stays the same link.
 */
export function isSameObject(a: PinnedObject, b: PinnedObject): boolean {
  return (
    a.kind === b.kind &&
    a.id === b.id &&
    a.type === b.type &&
    (a.kind === 'link' || a.fingerprint === b.fingerprint)
  );
}

function pinnable(held: HeldObject): PinnableKind {
  const { kind } = held;
  if (kind !== 'btf') return kind;
  const detail = 'Only maps, programs and links can be pinned; the source is BTF.';
  throw new PinfoldError('not_pinnable', { detail, kind, id: held.id });
}
