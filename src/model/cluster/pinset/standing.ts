import type { NodeState } from '../../schema/cluster.ts';
import type { PinSetStatus, RolloutDocument } from '../../schema/pinset.ts';

/** A node of the fleet as a rollout sees it: everything may be older than what is true. */
export interface RolloutNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: NodeState;
  /** Undefined for a node that has said nothing of this pin set. */
  readonly status: PinSetStatus | undefined;
}

/**
 * How a node stands to a generation: it has not begun (waiting) · it may still be busy with a former one
 * (settling) · it changes now · it has it and is well · it has failed · a person went on over its failure ·
 * it is gone and has not got it (away).
 */
export type Standing = 'waiting' | 'settling' | 'changing' | 'well' | 'failed' | 'tolerated' | 'away';

/**
 * How one node stands to a rollout's generation; undefined for a node that counts for nothing: one that is
 * ahead of the store, which never goes back, or is gone with the generation applied.
 *
 * A node that was opened and then is gone has failed, where failures pause: the change may be why it is gone.
 * Drift is a failure, too: it is what the node could not, or may not, put right.
 */
export function standingOf(
  { name, state, status }: RolloutNode,
  rollout: RolloutDocument,
  pausesOnFailure: boolean,
): Standing | undefined {
  const { generation } = rollout;
  const applied = status?.generation ?? 0;
  if (applied > generation || status?.ahead_of_store === true) return undefined;
  if (applied === generation && status?.state === 'ok') return 'well';
  const isTolerated = rollout.tolerated?.includes(name) === true;
  const isOpen = rollout.open.includes(name);
  if (state === 'gone') {
    if (isTolerated) return 'tolerated';
    if (isOpen && pausesOnFailure) return 'failed';
    return applied === generation ? undefined : 'away';
  }
  if (isTolerated) return 'tolerated';
  if (applied === generation && status !== undefined && status.state !== 'progressing') return 'failed';
  if (isOpen || applied === generation) return 'changing';
  return isSettled(status, rollout, name) ? 'waiting' : 'settling';
}

/** A node that changes to what it had been opened to before goes on until it says that it knows better. */
function isSettled(status: PinSetStatus | undefined, rollout: RolloutDocument, name: string): boolean {
  const wasOpen = rollout.settling?.includes(name) === true;
  if (status === undefined) return !wasOpen;
  if (status.state === 'progressing') return false;
  return !wasOpen || status.seen >= rollout.generation;
}
