import { PinfoldError } from '../../model/error.ts';
import { accountOf, unexplainedOf } from '../../model/holder/account.ts';
import { holderGraph, type Reading, referencesOf, whyDocument } from '../../model/holder/document.ts';
import type { ObjectKey } from '../../model/holder/facts.ts';
import { type HeldBy, objectsHeldBy } from '../../model/holder/held-by.ts';
import { keyOf } from '../../model/holder/holders.ts';
import type { PinnableKind } from '../../model/kind.ts';
import { limits } from '../../model/limits.ts';
import type { HolderGraph, WhyDocument } from '../../model/schema/holder.ts';
import type { References } from '../../model/schema/object.ts';
import type { HolderReads } from '../agent.ts';
import {
  type ReadingParts,
  readAllHolders,
  readHoldersOf,
  type Subject,
  type WholeReading,
} from './reading.ts';

/** What answering takes. */
export interface HolderReadsParts extends ReadingParts {
  readonly isPinsOnly: boolean;
}

/** Every question about who holds what. */
export class AgentHolderReads implements HolderReads {
  readonly #parts: HolderReadsParts;
  #last: { readonly reading: WholeReading; readonly atMs: number } | undefined;

  constructor(parts: HolderReadsParts) {
    this.#parts = parts;
  }

  holders(kind: PinnableKind, id: number): HolderGraph {
    return holderGraph(this.#read(kind, id));
  }

  why(kind: PinnableKind, id: number): WhyDocument {
    return whyDocument(this.#read(kind, id));
  }

  heldBy(choice: HeldBy): ReadonlySet<string> {
    this.#assertUsesIds();
    return new Set(objectsHeldBy(this.#recent().facts, choice).map(keyOf));
  }

  recent(): WholeReading {
    this.#assertUsesIds();
    return this.#recent();
  }

  referencesOf(object: ObjectKey): Partial<References> | undefined {
    if (this.#parts.isPinsOnly || object.kind === 'btf') return undefined;
    const reading = this.#recent();
    const account = accountOf(reading.holders.of(object));
    const counters = reading.countersOf(object);
    // Objects that came after the reading are not in it; what it says of them would be none of everything.
    if (counters === undefined && this.#parts.whyNoCounters(object.kind) === undefined) return {};
    const unexplained = unexplainedOf(object.kind, account, counters);
    const references = referencesOf(account, undefined, unexplained);
    return { ...references, holders_observed_at: reading.observedAt.toISOString() };
  }

  /** Many questions of one second get one reading: it goes through all processes and pins. */
  #recent(): WholeReading {
    const now = this.#parts.clock.monotonicMs();
    if (this.#last !== undefined && now - this.#last.atMs < limits.holderReadingMs) return this.#last.reading;
    const reading = readAllHolders(this.#parts);
    this.#last = { reading, atMs: now };
    return reading;
  }

  /**
   * What went meanwhile is not there, and what has its id now is another object: holders of the one are never
   * set against counters of the other.
   */
  #read(kind: PinnableKind, id: number): Reading {
    const before = this.#subject(kind, id);
    const reading = readHoldersOf(this.#parts, before);
    const after = this.#subject(kind, id);
    return after.fingerprint === before.fingerprint ? reading : readHoldersOf(this.#parts, after);
  }

  #subject(kind: PinnableKind, id: number): Subject & { readonly fingerprint: string } {
    this.#assertUsesIds();
    const { objects } = this.#parts.kernel;
    const described = objects.isOwn(kind, id) ? undefined : objects.describe(kind, id);
    if (described !== undefined) return { kind, id, ...described };
    throw new PinfoldError('object_not_found', { detail: `There is no ${kind} with id ${id}.`, kind, id });
  }

  /** @throws PinfoldError not_supported */
  #assertUsesIds(): void {
    if (!this.#parts.isPinsOnly) return;
    throw new PinfoldError('not_supported', {
      detail: 'This agent runs with --pins-only and never uses ids: who holds an object cannot be told.',
    });
  }
}
