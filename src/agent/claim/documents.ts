import { hash } from 'node:crypto';
import { type Claim, type ClaimedObject, isSameObject } from '../../model/claim/claim.ts';
import { type BootMoment, remainingMs, renewalIntervalMs } from '../../model/claim/lease.ts';
import { ownerMembers } from '../../model/claim/owner.ts';
import { durationText } from '../../model/duration.ts';
import { pathMembers } from '../../model/path.ts';
import type { ClaimDocument } from '../../model/schema/claim.ts';

/** What is at a claimed path: an object, null where there is no pin, or why it could not be read. */
export type Sight = ClaimedObject | null | { readonly unknown: string };

/** What a document is made with, beside the claim. */
export interface ClaimView {
  readonly mount: string | null;
  /** In the order of the claim's paths. */
  readonly sights: readonly Sight[];
  readonly observedAt: Date;
  /** The same moment by both clocks. */
  readonly now: { readonly boot: BootMoment; readonly wall: Date };
}

/** A claim as the API shows it. */
export function claimDocument(claim: Claim, { mount, sights, observedAt, now }: ClaimView): ClaimDocument {
  const { lease } = claim;
  const leftMs = lease === null ? null : remainingMs(lease, now.boot);
  return {
    ...ownerMembers(claim.owner),
    id: claim.id,
    mount,
    pins: claim.pins.map(({ path, object }, index) => ({
      ...pathMembers(path),
      ...stateOf(object, sights[index] ?? null),
      claimed: object,
    })),
    lease: lease === null ? null : durationText(lease.leaseMs),
    renew_interval: lease === null ? null : durationText(renewalIntervalMs(lease.leaseMs)),
    remaining_ms: leftMs,
    expires_at: leftMs === null ? null : new Date(now.wall.getTime() + leftMs).toISOString(),
    labels: { ...claim.labels },
    made_at: claim.madeAt,
    renewed_at: claim.renewedAt,
    renewed_by: claim.actor,
    observed_at: observedAt.toISOString(),
    etag: etagOfClaim(claim),
  };
}

type PinState = Pick<ClaimDocument['pins'][number], 'state' | 'reason' | 'present'>;

function stateOf(claimed: ClaimedObject | null, sight: Sight): PinState {
  if (sight === null) return { state: 'absent', present: null };
  if ('unknown' in sight) return { state: 'unknown', reason: sight.unknown, present: null };
  const isReplaced = claimed !== null && !isSameObject(claimed, sight);
  return { state: isReplaced ? 'replaced' : 'present', present: sight };
}

/**
 * The strong entity tag of a claim, quotes included: everything its owner has said, and what it was said of.
 * Renewals alone do not change it.
 */
export function etagOfClaim({ owner, id, mount, bootId, pins, lease, labels }: Claim): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  const facts = [owner, id, mount, bootId, pins, lease?.leaseMs ?? null, sorted];
  return `"${hash('sha256', JSON.stringify(facts), 'base64url').slice(0, 27)}"`;
}
