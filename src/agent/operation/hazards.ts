import { PinfoldError } from '../../model/error.ts';
import { type Counters, type Hazard, hazardSentences, hazardsOf } from '../../model/hazard.ts';
import { escapeBytes } from '../../model/path.ts';
import type { OperationEnvironment } from './environment.ts';
import type { Losing } from './move.ts';
import { describeObject } from './sentence.ts';
import type { PinnedObject } from './sink.ts';

/** What one object would suffer from the names that go. */
export interface Finding {
  readonly object: PinnedObject;
  readonly losing: readonly Losing[];
  readonly hazards: readonly Hazard[];
  /** One sentence a hazard, or why nothing can be ruled out. */
  readonly reasons: readonly string[];
}

/** The names that go, and what else the operation itself does to the same objects. */
export interface Stakes {
  readonly losing: readonly Losing[];
  /** Objects that get a pin which the counters do not show yet; one entry a pin. */
  readonly arriving: readonly PinnedObject[];
  /** How many references on an object are this process's own now. */
  readonly oursOf: (object: PinnedObject) => number;
  /** What counters were while nothing has been changed yet; without it, each is read anew. */
  readonly counted?: CountedObjects;
}

/** Counters of objects, with how many references were ours when they were read. */
export type CountedObjects = Map<string, { readonly counters: Counters | string; readonly ours: number }>;

/**
 * Decides, from the kernel's counters of each object that loses names, what the operation as a whole would
 * cost.
 *
 * Where counters cannot be read nothing is ruled out: every hazard the kind knows is then found, with that
 * reason, and the caller must accept them by name.
 */
export function findHazards(environment: OperationEnvironment, stakes: Stakes): readonly Finding[] {
  const byObject = new Map<string, Losing[]>();
  for (const losing of stakes.losing) {
    push(byObject, objectKey(losing.subject.object), losing);
  }
  return [...byObject.values()].flatMap((losing) => findOne(environment, losing, stakes) ?? []);
}

function findOne(
  environment: OperationEnvironment,
  losing: readonly Losing[],
  stakes: Stakes,
): Finding | undefined {
  const object = losing[0]?.subject.object;
  const going = inodesGoing(losing);
  if (object === undefined || going === 0) return undefined;
  const ours = stakes.oursOf(object);
  const counters = countersOf(environment, { object, losing, ours }, stakes.counted);
  if (typeof counters === 'string') {
    const hazards = possibleHazards(object);
    const reason = `reference counts are not available (${counters}), so nothing can be ruled out`;
    return { object, losing, hazards, reasons: [reason] };
  }
  const arriving = BigInt(stakes.arriving.filter((other) => isOneObject(other, object)).length);
  const hazards = hazardsOf({
    kind: object.kind,
    type: object.type,
    counters: {
      refcnt: counters.refcnt + arriving,
      ...(counters.usercnt === undefined ? {} : { usercnt: counters.usercnt + arriving }),
    },
    ours,
    going,
    ...attachment(losing),
  });
  return { object, losing, hazards, reasons: hazards.map((hazard) => hazardSentences[hazard]) };
}

/** An inode goes, and its reference with it, when every name it has is among those that go (hard links). */
function inodesGoing(losing: readonly Losing[]): number {
  const byInode = new Map<unknown, Losing[]>();
  for (const name of losing) {
    const key = name.subject.state?.inode.inode ?? name.subject;
    push(byInode, key, name);
  }
  return [...byInode.values()].filter(isLosingAll).length;
}

function isLosingAll(names: readonly Losing[]): boolean {
  if (names.some(({ isLastName }) => isLastName === true)) return true;
  const links = names[0]?.subject.state?.inode.links ?? 1;
  return names.filter(({ isLastName }) => isLastName === undefined).length >= links;
}

/** What was counted before still holds, but for what we have come to hold ourselves since. */
function countersOf(
  environment: OperationEnvironment,
  wanted: { readonly object: PinnedObject; readonly losing: readonly Losing[]; readonly ours: number },
  counted: CountedObjects | undefined,
): Counters | string {
  const { object, losing, ours } = wanted;
  const known = counted?.get(objectKey(object));
  if (known === undefined) {
    const counters = readCounters(environment, object, losing);
    counted?.set(objectKey(object), { counters, ours });
    return counters;
  }
  if (typeof known.counters === 'string') return known.counters;
  const more = BigInt(ours - known.ours);
  const { refcnt, usercnt } = known.counters;
  const users = usercnt === undefined ? {} : { usercnt: usercnt + more };
  return { ...known.counters, refcnt: refcnt + more, ...users };
}

function readCounters(
  environment: OperationEnvironment,
  object: PinnedObject,
  losing: readonly Losing[],
): Counters | string {
  const held = losing.find(({ subject }) => subject.held !== undefined)?.subject.held?.fd;
  if (!environment.usesIds) return 'this agent runs with --pins-only';
  const { counters } = environment.kernel;
  return (
    counters.unavailable(object.kind) ??
    counters.readOne(object.kind, object.id, held) ??
    'the kernel does not show the object'
  );
}

function possibleHazards(object: PinnedObject): readonly Hazard[] {
  if (object.type === 'prog_array') return ['last_reference', 'prog_array_emptied'];
  return object.kind === 'link' ? ['last_reference', 'link_detached'] : ['last_reference'];
}

/** So many objects a refusal describes; a batch may concern a thousand. */
const namedAtMost = 3;

/** What a caller has agreed to lose. */
export interface Acceptance {
  readonly accept: ReadonlySet<string>;
  readonly force: boolean;
}

/** @throws PinfoldError hazard, unless every hazard found has been accepted by name */
export function refuseHazards(findings: readonly Finding[], acceptance: Acceptance): void {
  if (acceptance.force) return;
  const refused = findings.filter(({ hazards }) => hazards.some((hazard) => !acceptance.accept.has(hazard)));
  const [first] = refused;
  if (first === undefined) return;
  const hazards = [...new Set(refused.flatMap((finding) => finding.hazards))];
  const path = first.losing[0]?.path ?? '';
  throw new PinfoldError('hazard', {
    detail: `Refused unless it is accepted by name: ${listRefused(refused)}.`,
    path: escapeBytes(path),
    kind: first.object.kind,
    id: first.object.id,
    hazards,
  });
}

/** The first few with their reasons, and how many there are besides. */
function listRefused(refused: readonly Finding[]): string {
  const named = refused
    .slice(0, namedAtMost)
    .map(({ object, reasons }) => `${describeObject(object)} (${reasons.join('; ')})`);
  const others = refused.length - named.length;
  if (others === 0) return named.join(', ');
  return `${named.join(', ')} and ${others} more ${others === 1 ? 'object' : 'objects'}`;
}

/** A link says so itself where its target is already gone. */
function attachment(losing: readonly Losing[]): { readonly isAttached?: boolean } {
  const info = losing[0]?.subject.held?.info;
  return info?.kind === 'link' && info.is_attached !== undefined ? { isAttached: info.is_attached } : {};
}

/** Tells objects apart while one operation holds them. */
export function objectKey({ kind, id }: Pick<PinnedObject, 'kind' | 'id'>): string {
  return `${kind}:${id}`;
}

function isOneObject(one: PinnedObject, other: PinnedObject): boolean {
  return one.id === other.id && one.kind === other.kind;
}

function push<Key>(lists: Map<Key, Losing[]>, key: Key, losing: Losing): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [losing]);
  else list.push(losing);
}
