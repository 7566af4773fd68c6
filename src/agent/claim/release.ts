import { type Claim, isSameObject } from '../../model/claim/claim.ts';
import type { ClaimedPins } from '../../model/claim/claimed-pins.ts';
import { isPinfoldError } from '../../model/error.ts';
import { escapeBytes, type PinPath } from '../../model/path.ts';
import type { keptReasons } from '../../model/schema/claim.ts';
import type { ChangeContext } from '../agent.ts';
import { planUnpin } from '../operation/plan-pin.ts';
import type { Line, Planning } from '../operation/planning.ts';
import type { ChangeRequest } from '../operation/request.ts';
import { describeObject } from '../operation/sentence.ts';

/** A path that a release leaves alone. */
export interface KeptPath {
  readonly path: PinPath;
  readonly reason: (typeof keptReasons)[number];
  /** One sentence. */
  readonly detail: string;
}

/** What a release would do, decided when its turn has come. */
export interface PlannedRelease {
  readonly lines: readonly Line[];
  readonly kept: readonly KeptPath[];
}

/**
 * Plans the removal of what a claim holds and nobody else claims.
 *
 * A pin that somebody has put there in place of what was claimed is not the owner's to remove, and stays; so
 * does what cannot be read.
 */
export function planRelease(planning: Planning, claims: ClaimedPins, claim: Claim): PlannedRelease {
  const lines: Line[] = [];
  const kept: KeptPath[] = [];
  for (const { path, object } of claim.pins) {
    const others = claims
      .claimsOf({ mount: planning.site.mount, path })
      .filter(({ claim: id }) => id !== claim.id);
    if (others.length > 0) {
      const named = others.map(({ owner }) => `"${escapeBytes(owner)}"`).join(', ');
      kept.push({ path, reason: 'claimed', detail: `It is claimed by ${named}.` });
      continue;
    }
    const found = find(planning, path);
    if (typeof found === 'string') kept.push({ path, reason: 'unknown', detail: found });
    else if (found === undefined) kept.push({ path, reason: 'absent', detail: 'There is no pin.' });
    else if (object !== null && !isSameObject(found.object, object)) {
      const detail = `It holds ${describeObject(found.object)}, which is not what was claimed.`;
      kept.push({ path, reason: 'replaced', detail });
    } else lines.push(planUnpin(planning, path, { ifMatch: undefined, createOnly: false }));
  }
  return { lines, kept };
}

/** The release of a claim as a change: it ends in the transaction that records what was unpinned for it. */
export function releaseRequest(
  claim: Claim,
  context: ChangeContext,
  plan: (planning: Planning) => readonly Line[],
): ChangeRequest {
  const mount = claim.mount ?? undefined;
  return { kind: 'release', mount, context, onlyPath: undefined, plan, releases: claim.id };
}

function find(planning: Planning, path: PinPath) {
  try {
    return planning.view.find(path);
  } catch (error) {
    if (isPinfoldError(error)) return error.message;
    throw error;
  }
}
