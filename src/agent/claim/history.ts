import type { Claim } from '../../model/claim/claim.ts';
import { ownerMembers } from '../../model/claim/owner.ts';
import { durationText } from '../../model/duration.ts';
import { limits } from '../../model/limits.ts';
import { pathMembers, textOf } from '../../model/path.ts';
import type { EventType, NewEvent } from '../../model/schema/event.ts';

/** A claim before and after something happened to it. */
export interface ClaimSides {
  readonly before: Claim | undefined;
  readonly after: Claim | undefined;
}

/** One line of history about a claim; its subject is called by the owner's name. */
export function claimEvent(
  type: Extract<EventType, `claim.${string}`>,
  { before, after }: ClaimSides,
  origin: { readonly actor: string; readonly at: string; readonly operationId?: string },
): NewEvent {
  const owner = (after ?? before)?.owner ?? '';
  return {
    time: origin.at,
    type,
    subject: { kind: 'claim', name: textOf(owner) },
    before: before === undefined ? null : claimHistory(before),
    after: after === undefined ? null : claimHistory(after),
    actor: origin.actor,
    ...(origin.operationId === undefined ? {} : { operation_id: origin.operationId }),
  };
}

/** A claim as history keeps it: what was asked for, without deadlines and without what its paths held. */
function claimHistory(claim: Claim): Record<string, unknown> {
  const { owner, id, mount, pins, lease, labels } = claim;
  return {
    ...ownerMembers(owner),
    id,
    mount,
    pins: pins.slice(0, limits.claimEventPinsMax).map(({ path }) => pathMembers(path)),
    pins_total: pins.length,
    lease: lease === null ? null : durationText(lease.leaseMs),
    labels,
  };
}
