import type { Counters } from '../hazard.ts';
import { accountOf, isExplained, shownBy } from './account.ts';
import type { ObjectKey } from './facts.ts';
import { type Holders, keyOf } from './holders.ts';

/** One of the objects of an island. */
export interface Islander extends ObjectKey {
  readonly kind: 'map' | 'program';
  /** All references on it: its pins, and what others of the island hold. */
  readonly references: number;
}

/** Objects that hold each other in a circle, with what hangs on them; only pins hold any from outside. */
export type Island = readonly Islander[];

/** An object that may be of an island, and the keys of the objects that hold it. */
interface Candidate {
  readonly member: Islander;
  readonly holders: ReadonlySet<string>;
}

/**
 * Finds maps and programs that keep each other alive, so that none of them shows as held by nothing but pins:
 * a tail-call table and a program in it that uses it. To end one all pins of all its members must go.
 *
 * Whatever a file, a link, an attachment or something unseen holds is of none, nor is what that holds.
 */
export function islandsOf(
  holders: Holders,
  countersOf: (object: ObjectKey) => Counters | undefined,
  objects: Iterable<ObjectKey>,
): readonly Island[] {
  const candidates = new Map<string, Candidate>();
  for (const object of objects) {
    const candidate = candidateOf(object, holders, countersOf(object));
    if (candidate !== undefined) candidates.set(keyOf(object), candidate);
  }
  dropHeld(candidates);
  return componentsOf(candidates).filter(hasCircle).map(membersOf);
}

function candidateOf(
  { kind, id }: ObjectKey,
  holders: Holders,
  counters: Counters | undefined,
): Candidate | undefined {
  if (kind !== 'map' && kind !== 'program') return undefined;
  const all = holders.of({ kind, id });
  const account = accountOf(all);
  if (account.fds + account.links + account.attachments > 0) return undefined;
  if (!isExplained(kind, account, counters)) return undefined;
  const keys = all.flatMap((holder) => (holder.by === 'object' ? keyOf(holder.hold.holder) : []));
  return { member: { kind, id, references: shownBy(account) }, holders: new Set(keys) };
}

/** What is held by something that is no candidate is none, and so on. */
function dropHeld(candidates: Map<string, Candidate>): void {
  for (let before = -1; before !== candidates.size; ) {
    before = candidates.size;
    for (const [key, { holders }] of candidates) {
      if ([...holders].some((holder) => !candidates.has(holder))) candidates.delete(key);
    }
  }
}

/** Candidates that hold each other in any direction; who holds nothing and is held by none is left out. */
function componentsOf(candidates: ReadonlyMap<string, Candidate>): readonly (readonly Candidate[])[] {
  const next = new Map<string, string[]>();
  for (const [key, { holders }] of candidates) {
    for (const holder of holders) {
      next.set(key, [...(next.get(key) ?? []), holder]);
      next.set(holder, [...(next.get(holder) ?? []), key]);
    }
  }
  const seen = new Set<string>();
  const components: Candidate[][] = [];
  for (const start of next.keys()) {
    if (seen.has(start)) continue;
    seen.add(start);
    const keys = [start];
    for (const key of keys) {
      for (const other of next.get(key) ?? []) {
        if (!seen.has(other)) keys.push(other);
        seen.add(other);
      }
    }
    components.push(keys.flatMap((key) => candidates.get(key) ?? []));
  }
  return components;
}

/** Whether something is left when whatever nobody else of them holds is taken away, again and again. */
function hasCircle(component: readonly Candidate[]): boolean {
  let left = component;
  for (;;) {
    const keys = new Set(left.map(({ member }) => keyOf(member)));
    const held = left.filter(({ holders }) => [...holders].some((key) => keys.has(key)));
    if (held.length === left.length) return left.length > 0;
    left = held;
  }
}

function membersOf(component: readonly Candidate[]): Island {
  const members = component.map(({ member }) => member);
  return members.sort((one, other) => one.kind.localeCompare(other.kind) || one.id - other.id);
}
