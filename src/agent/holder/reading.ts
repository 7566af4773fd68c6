import type { Kernel } from '../../kernel/kernel.ts';
import type { Clock } from '../../model/clock.ts';
import type { Counters } from '../../model/hazard.ts';
import { accountOf, isExplained, unexplainedOf } from '../../model/holder/account.ts';
import type { Reading } from '../../model/holder/document.ts';
import type { HolderFacts, HolderRequest, KnownPins, ObjectKey } from '../../model/holder/facts.ts';
import { Holders, keyOf } from '../../model/holder/holders.ts';
import { type PinnableKind, pinnableKinds } from '../../model/kind.ts';
import type { ObjectInfo } from '../../model/schema/object.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { KnownMounts } from '../observer/known-mounts.ts';
import type { WhyNoCounters } from '../reads/list-objects.ts';

/** What a reading is taken with. */
export interface ReadingParts {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly inventory: Inventory;
  readonly whyNoCounters: WhyNoCounters;
  readonly primaryMount: () => string | undefined;
  readonly known: KnownMounts;
}

/** One object that is asked about, as the kernel described it just now. */
export interface Subject extends ObjectKey {
  readonly kind: PinnableKind;
  readonly info: ObjectInfo;
}

/** All holders at one moment, and the counters of that moment. */
export interface WholeReading {
  readonly facts: HolderFacts;
  readonly holders: Holders;
  readonly observedAt: Date;
  countersOf(object: ObjectKey): Counters | undefined;
}

/** Reads everything that holds anything. */
export function readAllHolders(parts: ReadingParts): WholeReading {
  const observedAt = parts.clock.now();
  const facts = parts.kernel.holders.read(requestOf(parts.inventory));
  const countersOf = allCounters(parts);
  for (const kind of pinnableKinds) countersOf({ kind, id: 0 });
  return { facts, holders: new Holders(facts), observedAt, countersOf };
}

/** So often everything is walked, at most, until two walks in a row agree. */
const walksMax = 3;

/**
 * Reads who holds one object: holders first, counters right after.
 *
 * Known pins and open files are looked at before all else. Where they, with what objects hold, are just what
 * the kernel counts, of that object and of all above it, nothing is missing and nothing more is read. Else
 * everything is walked. Where that differs from the counters, something may only have come or gone in
 * between. It is believed when the first look, with each known pin in its place, found and counted as much;
 * else it is walked again, and believed when two walks agree. Where none do, that is said.
 */
export function readHoldersOf(parts: ReadingParts, subject: Subject): Reading {
  const request = requestOf(parts.inventory);
  const near = readOnce(parts, subject, { ...request, knownPins: knownPinsOf(parts) });
  if (isWhole(near)) return near;
  let last = readOnce(parts, subject, request);
  // What can move unseen was looked at before this walk: files, slots, and each known pin.
  if (isSame(near, last) && isInPlace(parts, near)) return last;
  for (let walk = 2; walk <= walksMax && !isSettled(last); walk++) {
    const next = readOnce(parts, subject, request);
    if (isSame(last, next)) return next;
    last = next;
  }
  return isSettled(last) ? last : { ...last, hasMoved: true };
}

function readOnce(parts: ReadingParts, { kind, id, info }: Subject, request: HolderRequest): Reading {
  const { kernel, clock, whyNoCounters } = parts;
  const object = { kind, id };
  const observedAt = clock.now();
  const facts = kernel.holders.read({ ...request, focus: object });
  const why = whyNoCounters(kind);
  const described = new Described(kernel, info);
  const others = allCounters(parts);
  const counters = why === undefined ? kernel.counters.readOne(kind, id) : undefined;
  return {
    object,
    observedAt,
    counters,
    whyNoCounters: why,
    holders: new Holders(facts),
    unavailable: facts.unavailable,
    hasMoved: false,
    primaryMount: parts.primaryMount(),
    countersOf: (one) => (keyOf(one) === keyOf(object) ? counters : others(one)),
    typeOf: (one) => described.of(one)?.type,
    isAttached: (link) => {
      const found = described.of(link);
      return found?.kind !== 'link' || found.is_attached !== false;
    },
    labelOf: (one) => {
      const found = described.of(one);
      return found === undefined
        ? {}
        : { type: found.type, ...('name' in found && found.name !== '' ? { name: found.name } : {}) };
    },
  };
}

/** Whether every reference on the object, and on all that hold it, is one of those that were found. */
function isWhole({ holders, object, countersOf }: Reading): boolean {
  return holders
    .above(object)
    .every((one) => isExplained(one.kind, accountOf(holders.of(one)), countersOf(one)));
}

/** Nothing is left to explain; of programs nothing ever is. */
function isSettled({ holders, object, counters }: Reading): boolean {
  const unexplained = unexplainedOf(object.kind, accountOf(holders.of(object)), counters);
  if (unexplained === undefined) return true;
  return unexplained.isSettled && unexplained.users + unexplained.kernel === 0;
}

/**
 * Whether the object has been observed, and each pin that is known of it was found in its place: a walk of
 * the names may miss one that is being renamed.
 */
function isInPlace({ inventory }: ReadingParts, { holders, object }: Reading): boolean {
  if (inventory.objects.find(object.kind, object.id) === undefined) return false;
  return inventory.countPinnedInodes(object.kind, object.id) === accountOf(holders.of(object)).pins;
}

/** Whether two readings found as much, and the kernel counted as much. */
function isSame(one: Reading, other: Reading): boolean {
  const [first, second] = [one, other].map(({ holders, object, counters }) =>
    JSON.stringify([accountOf(holders.of(object)), Number(counters?.refcnt), Number(counters?.usercnt)]),
  );
  return first === second;
}

function knownPinsOf({ inventory, known }: ReadingParts): KnownPins {
  return {
    instances: known.ids().flatMap((id) => known.find(id)?.mount ?? []),
    pinsOf: ({ kind, id }) =>
      inventory.pinsOf(kind, id).map(({ mount, path, inode }) => ({ mount, path, inode: inode.inode })),
  };
}

/** An inode leads to the object it led to at the last observation, for as long as it lives. */
function requestOf(inventory: Inventory): HolderRequest {
  return {
    knownPin: ({ mount, inode }) => {
      const known = inventory.objectOfInode(mount, inode);
      return known === undefined ? undefined : { kind: known.kind, id: known.id };
    },
  };
}

/** Counters of all objects of a kind, read when the first of them is asked for. */
function allCounters({ kernel, whyNoCounters }: ReadingParts): WholeReading['countersOf'] {
  const read = new Map<PinnableKind, ReadonlyMap<number, Counters>>();
  return ({ kind, id }) => {
    if (kind === 'btf' || whyNoCounters(kind) !== undefined) return undefined;
    const known = read.get(kind) ?? kernel.counters.readAll(kind);
    read.set(kind, known);
    return known.get(id);
  };
}

/** Objects as the kernel describes them, each asked once. */
class Described {
  readonly #kernel: Kernel;
  readonly #known = new Map<string, ObjectInfo | undefined>();

  constructor(kernel: Kernel, subject: ObjectInfo) {
    this.#kernel = kernel;
    this.#known.set(keyOf(subject), subject);
  }

  of(object: ObjectKey): ObjectInfo | undefined {
    const key = keyOf(object);
    if (this.#known.has(key)) return this.#known.get(key);
    const info = this.#kernel.objects.describe(object.kind, object.id)?.info;
    this.#known.set(key, info);
    return info;
  }
}
