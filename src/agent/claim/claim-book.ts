import { bytesOfClaim, type Claim } from '../../model/claim/claim.ts';
import type { ClaimedPlace, ClaimRef } from '../../model/claim/claimed-pins.ts';
import { type BootMoment, remainingMs, resumeLease } from '../../model/claim/lease.ts';
import type { PlannedClaim } from '../../model/claim/plan-claim.ts';
import type { Clock } from '../../model/clock.ts';
import { PinfoldError } from '../../model/error.ts';
import { isOfWorkload } from '../../model/hook/workload-claim.ts';
import { limits } from '../../model/limits.ts';
import type { EventDocument, NewEvent } from '../../model/schema/event.ts';
import type { Store } from '../../model/store.ts';
import type { OperationClaims } from '../operation/claimed.ts';
import type { ChangeOrigin } from '../operation/sink.ts';
import { ClaimIndex } from './claim-index.ts';
import { claimEvent } from './history.ts';

/** What the book is kept with. */
export interface ClaimBookParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly bootId: string;
  readonly announce: (events: readonly EventDocument[]) => void;
  /** The instance that requests mean that name none; undefined where none is mounted. */
  readonly primaryMount: () => string | undefined;
}

/** What the metrics tell of claims. */
export interface ClaimCounts {
  readonly claims: number;
  /** Different paths that are claimed. */
  readonly pins: number;
  /** Since the agent started. */
  readonly expired: number;
}

/**
 * All claims of the node, in memory and in the store; rows, events and memory move together.
 *
 * Made before recovery, because an interrupted release ends with it. Leases are resumed then: nobody could
 * renew while there was no agent. Claims that hooks made for workloads of another boot end: those ended with
 * it.
 */
export class ClaimBook implements OperationClaims {
  readonly #parts: ClaimBookParts;
  readonly #index: ClaimIndex;
  readonly #claims = new Map<string, Claim>();
  /** When history was last told of a claim, by its id, in milliseconds of the boot clock. */
  readonly #toldAtMs = new Map<string, number>();
  #sorted: readonly Claim[] | undefined;
  #bytes = 0;
  #expired = 0;
  #nextDeadlineMs = Number.POSITIVE_INFINITY;

  constructor(parts: ClaimBookParts) {
    this.#parts = parts;
    this.#index = new ClaimIndex(parts.primaryMount);
    const now = this.now();
    const { store } = parts;
    const resumed = store.transaction(() => store.claims.list().map((each) => resumeClaim(store, each, now)));
    for (const claim of resumed) this.#enter(claim);
    this.endByItself(resumed.filter((claim) => isOfWorkload(claim) && !isOfThisBoot(claim, now)));
  }

  claimsOf(place: ClaimedPlace): readonly ClaimRef[] {
    return this.#index.claimsOf(place);
  }

  find(owner: string): Claim | undefined {
    return this.#claims.get(owner);
  }

  /** The moment by the clock that leases go by. */
  now(): BootMoment {
    return { bootId: this.#parts.bootId, ms: Math.floor(this.#parts.clock.bootMs()) };
  }

  /** By owner, in byte order. */
  list(): readonly Claim[] {
    this.#sorted ??= [...this.#claims.values()].sort((one, other) => (one.owner < other.owner ? -1 : 1));
    return this.#sorted;
  }

  counts(): ClaimCounts {
    return { claims: this.#claims.size, pins: this.#index.size, expired: this.#expired };
  }

  /** Whether what a renewal changes is worth no operation and no event: only its deadline moved. */
  isQuiet({ claim, change }: PlannedClaim): boolean {
    if (change !== 'renewed') return false;
    const toldAtMs = this.#toldAtMs.get(claim.id) ?? Number.NEGATIVE_INFINITY;
    return this.now().ms - toldAtMs < limits.claimRenewalToldMs;
  }

  /** @throws PinfoldError too_many_requests where there is no room for it */
  assertFits({ claim, before }: PlannedClaim): void {
    if (before === undefined && this.#claims.size >= limits.claimsMax)
      throw tooMany('claims', `There are ${limits.claimsMax} claims already`);
    const bytes = this.#bytes + bytesOfClaim(claim) - (before === undefined ? 0 : bytesOfClaim(before));
    if (bytes > limits.claimsBytesMax)
      throw tooMany('claims_bytes', `All claims together would be over ${limits.claimsBytesMax} bytes`);
  }

  /** Moves a deadline, and nothing else. @throws PinfoldError storage_full, storage_failed */
  renew({ claim }: PlannedClaim): void {
    this.#parts.store.claims.renew(claim);
    this.#replace(claim);
  }

  /**
   * Stores a claim with its event; call it in a transaction, and what it answers once that is committed.
   *
   * @throws PinfoldError storage_full, storage_failed
   */
  put({ claim, before }: PlannedClaim, origin: ChangeOrigin): () => void {
    this.#parts.store.claims.put(claim);
    const type = before === undefined ? 'claim.made' : 'claim.renewed';
    const tell = this.#tell([claimEvent(type, { before, after: claim }, origin)]);
    return () => {
      this.#replace(claim);
      this.#toldAtMs.set(claim.id, this.now().ms);
      tell();
    };
  }

  release(id: string, origin: ChangeOrigin): () => void {
    const claim = this.list().find((each) => each.id === id);
    if (claim === undefined) return () => undefined;
    this.#parts.store.claims.remove(claim);
    const tell = this.#tell([claimEvent('claim.released', { before: claim, after: undefined }, origin)]);
    return () => {
      this.#end(claim);
      tell();
    };
  }

  /**
   * Ends the claims whose leases are over. Called after every look at the kernel, and cheap while no deadline
   * has passed. @throws PinfoldError storage_full, storage_failed; the claims then stand until the next call
   */
  expire(): void {
    const now = this.now();
    if (now.ms < this.#nextDeadlineMs) return;
    this.endByItself(this.list().filter(({ lease }) => lease !== null && remainingMs(lease, now) === 0));
    this.#nextDeadlineMs = this.list().reduce(
      (next, { lease }) => Math.min(next, lease?.deadline.ms ?? next),
      Number.POSITIVE_INFINITY,
    );
  }

  /** Ends claims that nobody released, and tells of it. @throws PinfoldError storage_full, storage_failed */
  endByItself(over: readonly Claim[]): void {
    const { clock, store } = this.#parts;
    const origin = { actor: 'kernel', at: clock.now().toISOString() };
    for (let from = 0; from < over.length; from += chunkClaims) {
      const chunk = over.slice(from, from + chunkClaims);
      const tell = store.transaction(() => {
        for (const claim of chunk) store.claims.remove(claim);
        const sides = chunk.map((before) => ({ before, after: undefined }));
        return this.#tell(sides.map((side) => claimEvent('claim.expired', side, origin)));
      });
      for (const claim of chunk) this.#end(claim);
      this.#expired += chunk.length;
      tell();
    }
  }

  #tell(events: readonly NewEvent[]): () => void {
    const written = this.#parts.store.events.append(events);
    return () => this.#parts.announce(written);
  }

  #replace(claim: Claim): void {
    const before = this.#claims.get(claim.owner);
    if (before !== undefined) this.#leave(before);
    this.#enter(claim);
  }

  #enter(claim: Claim): void {
    this.#sorted = undefined;
    this.#claims.set(claim.owner, claim);
    this.#bytes += bytesOfClaim(claim);
    if (claim.lease !== null) this.#nextDeadlineMs = Math.min(this.#nextDeadlineMs, claim.lease.deadline.ms);
    if (isOfThisBoot(claim, this.now())) this.#index.add(indexed(claim));
  }

  #end(claim: Claim): void {
    this.#leave(claim);
    this.#toldAtMs.delete(claim.id);
  }

  #leave(claim: Claim): void {
    this.#sorted = undefined;
    this.#claims.delete(claim.owner);
    this.#bytes -= bytesOfClaim(claim);
    this.#index.remove(indexed(claim));
  }
}

/** Claims whose end one transaction writes. */
const chunkClaims = 100;

/** Whether its instance and objects are still what they were named as. */
function isOfThisBoot({ bootId }: Claim, now: BootMoment): boolean {
  return bootId === now.bootId;
}

function indexed({ owner, id, mount, pins }: Claim) {
  return { owner, claim: id, mount, paths: pins.map(({ path }) => path) };
}

/**
 * A claim as an agent that starts takes it over. In another boot the primary instance is another one with the
 * same purpose, and the objects are gone; an instance that was named by its number is gone with them.
 */
function resumeClaim(store: Store, claim: Claim, now: BootMoment): Claim {
  const lease = claim.lease === null ? null : resumeLease(claim.lease, now);
  if (isOfThisBoot(claim, now)) return { ...claim, lease };
  // Not written down, so that an agent that is killed here finds it as it was.
  if (isOfWorkload(claim)) return claim;
  const pins = claim.pins.map(({ path }) => ({ path, object: null }));
  const resumed = { ...claim, ...(claim.mount === null ? { bootId: now.bootId, pins } : {}), lease };
  store.claims.put(resumed);
  return resumed;
}

function tooMany(limit: string, why: string): PinfoldError {
  const detail = `${why}; release some first.`;
  return new PinfoldError('too_many_requests', { detail, limit, retry_after: 60 });
}
