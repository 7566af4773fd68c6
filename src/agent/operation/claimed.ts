import type { ClaimedPins, ClaimRef } from '../../model/claim/claimed-pins.ts';
import { hazardSentences } from '../../model/hazard.ts';
import { escapeBytes, type PinPath } from '../../model/path.ts';
import type { Finding } from './hazards.ts';
import type { Line } from './planning.ts';
import type { ChangeOrigin } from './sink.ts';
import type { Subject } from './subject.ts';

/** What operations and recovery need of the claims. */
export interface OperationClaims extends ClaimedPins {
  /**
   * Ends the claim with this id, if it is still there, in the transaction that settles what has unpinned for
   * it. Call what it answers once that is committed.
   */
  release(id: string, origin: ChangeOrigin): () => void;
}

/** A name that will not hold what it held: its pin goes, is displaced, or gets another name. */
export interface Vacated {
  readonly path: PinPath;
  readonly subject: Subject;
}

/** So many owners a sentence names. */
const namedAtMost = 3;

/**
 * What owners would lose by the lines of an operation. Claims are of names, so a rename takes a pin away from
 * its owner although no object loses a reference.
 *
 * Claims cannot change while an operation is carried out, so this is asked once. `releases` names a claim
 * that ends with the operation, and does not count.
 */
export function findClaimed(
  claims: ClaimedPins,
  mount: string,
  plan: { readonly lines: readonly Line[]; readonly releases: string | undefined },
): readonly Finding[] {
  return plan.lines.flatMap(({ vacates = [], pointer }) =>
    vacates.flatMap(({ path, subject }) => {
      const others = claims.claimsOf({ mount, path }).filter(({ claim }) => claim !== plan.releases);
      if (others.length === 0) return [];
      const at = pointer === undefined ? {} : { pointer };
      const losing = [{ subject, path, isLastName: undefined, ...at }];
      const reason = `${hazardSentences.claimed}: ${nameOwners(others)}`;
      return [{ object: subject.object, losing, hazards: ['claimed' as const], reasons: [reason] }];
    }),
  );
}

function nameOwners(claims: readonly ClaimRef[]): string {
  const named = claims.slice(0, namedAtMost).map(({ owner }) => `"${escapeBytes(owner)}"`);
  const others = claims.length - named.length;
  return others === 0 ? named.join(', ') : `${named.join(', ')} and ${others} more`;
}
