import type { DesiredDocument, RolloutDocument } from '../../schema/pinset.ts';
import type { ClusterName } from '../key.ts';

/** What a node has applied of a pin set: 0 where nothing ever was. It only grows. */
export type AppliedGeneration = number;

/** Whether a node may go to what is desired, or why it stays at what it has. */
export type GateAnswer =
  | { readonly may: true; readonly desired: DesiredDocument }
  | {
      readonly may: false;
      readonly why: 'nothing_desired' | 'applied_already' | 'behind_applied' | 'no_rollout' | 'not_open';
    };

/**
 * The gate and the fence: a node goes forward only, and only to a generation whose rollout is done or names
 * it. Neither what is missing nor what is older ever opens it; of two documents that came in another order
 * than they were written, the one that lags keeps it closed.
 */
export function mayApply(
  desired: DesiredDocument | undefined,
  rollout: RolloutDocument | undefined,
  node: ClusterName,
  applied: AppliedGeneration,
): GateAnswer {
  if (desired === undefined) return { may: false, why: 'nothing_desired' };
  if (desired.generation < applied) return { may: false, why: 'behind_applied' };
  if (desired.generation === applied) return { may: false, why: 'applied_already' };
  if (rollout?.generation !== desired.generation) return { may: false, why: 'no_rollout' };
  if (rollout.state === 'done' || rollout.open.includes(node)) return { may: true, desired };
  return { may: false, why: 'not_open' };
}
