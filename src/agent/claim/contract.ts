import type { ClaimedPins } from '../../model/claim/claimed-pins.ts';
import type { ClaimOwner } from '../../model/claim/owner.ts';
import type { PinPath } from '../../model/path.ts';
import type { ClaimDocument } from '../../model/schema/claim.ts';
import type { ChangeContext, MountChoice, Observed, Page, PlanStep, Slice } from '../agent.ts';
import type { ClaimCounts } from './claim-book.ts';
import type { KeptPath } from './release.ts';

/** What an owner asks for; members that are not given stay as they are. */
export interface ClaimAsked {
  readonly mount: MountChoice;
  readonly paths?: readonly PinPath[];
  /** Null for a claim that stands until it is released. */
  readonly leaseMs?: number | null;
  readonly labels?: Readonly<Record<string, string>>;
  readonly adopts: boolean;
}

/** Which claims a list is about; what is not given does not narrow it. */
export interface ClaimQuery {
  readonly labels?: Readonly<Record<string, string>>;
  /** Claims that name this path. */
  readonly path?: PinPath;
}

/** What asking for a claim came to. */
export interface ClaimResult {
  /** Undefined for a dry run, and for a renewal that moved nothing but the deadline. */
  readonly operationId: string | undefined;
  readonly created: boolean;
  readonly claim: ClaimDocument | undefined;
  readonly plan: readonly PlanStep[] | undefined;
}

/** What a release came to. */
export interface ReleaseResult {
  readonly operationId: string | undefined;
  readonly plan: readonly PlanStep[] | undefined;
  readonly unpinned: readonly PinPath[];
  readonly kept: readonly KeptPath[];
}

/** Who needs which pin, and for how long. */
export interface Claims extends ClaimedPins {
  /**
   * Makes, changes or renews the claim of an owner.
   *
   * @throws PinfoldError precondition_failed, invalid_input, too_many_requests, read_only, storage_full,
   * mount_not_found, and what reading a path that is new in it throws
   */
  put(owner: ClaimOwner, asked: ClaimAsked, context: ChangeContext): Promise<ClaimResult>;
  /** One claim, with what its paths hold, read from the kernel. @throws PinfoldError claim_not_found */
  get(owner: ClaimOwner): Promise<ClaimDocument>;
  /** By owner in byte order, with what was at their paths at the last observation. */
  list(query: ClaimQuery, slice: Slice): Observed<Page<ClaimDocument>>;
  /**
   * Ends a claim; with `unpins`, what it holds and nobody else claims is unpinned in the same operation, all
   * of it or nothing.
   *
   * @throws PinfoldError claim_not_found, precondition_failed, hazard, and what a batch of removals throws
   */
  release(
    owner: ClaimOwner,
    how: { readonly unpins: boolean },
    context: ChangeContext,
  ): Promise<ReleaseResult>;
  counts(): ClaimCounts;
}
