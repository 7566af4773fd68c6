import type { Clock } from '../../../model/clock.ts';
import type { ClusterName } from '../../../model/cluster/key.ts';
import { parseDesired, parseRollout } from '../../../model/cluster/pinset/documents.ts';
import { beginRollout, failuresOf } from '../../../model/cluster/pinset/rollout.ts';
import type { ClusterStore } from '../../../model/cluster/store.ts';
import { PinfoldError } from '../../../model/error.ts';
import type { DesiredDocument, RolloutDocument } from '../../../model/schema/pinset.ts';
import { desiredKey, type PinSetBoard, rolloutKey } from './board.ts';
import { notFound } from './wishes.ts';

/** What a person's edit of a rollout is made with. */
export interface EditParts {
  readonly store: ClusterStore;
  readonly board: PinSetBoard;
  readonly clock: Clock;
}

/** A rollout after an edit. */
export interface Edited {
  readonly desired: DesiredDocument;
  readonly rollout: RolloutDocument;
}

/** How often an edit is tried against the leader, which writes the same document. */
const triesMax = 16;

/** Bounds of RolloutDocument. */
const actorCharsMax = 600;
const reasonCharsMax = 500;
const toleratedMax = 1000;

/**
 * Has no more nodes opened, until it is resumed; those that change go on.
 *
 * @throws PinfoldError pinset_not_found, not_rolling_out, conflict, cluster_unavailable
 */
export async function pauseRollout(parts: EditParts, name: ClusterName, actor: string): Promise<Edited> {
  return await edit(parts, name, (rollout) => ({
    ...rollout,
    state: 'paused',
    paused_by: actor.slice(0, actorCharsMax),
    reason: `paused by ${actor}`.slice(0, reasonCharsMax),
  }));
}

/**
 * Has a paused one go on, over the failures there are now: they pause it no more.
 *
 * @throws PinfoldError pinset_not_found, not_rolling_out, conflict, cluster_unavailable
 */
export async function resumeRollout(parts: EditParts, name: ClusterName, actor: string): Promise<Edited> {
  return await edit(parts, name, (rollout, desired) => {
    if (rollout.state !== 'paused') throw notRollingOut(name, rollout, 'is not paused');
    const { paused_by: _, reason: __, ...rest } = rollout;
    const { time } = rollout;
    const nodes = parts.board.nodes(name);
    const failures = failuresOf(rollout, { desired, nodes, current: rollout, time });
    const all = [...new Set([...failures, ...(rollout.tolerated ?? [])])];
    const tolerated = all.slice(0, toleratedMax).sort();
    const resumed_by = actor.slice(0, actorCharsMax);
    return { ...rest, state: 'progressing', resumed_by, ...(tolerated.length === 0 ? {} : { tolerated }) };
  });
}

/**
 * It opens no node, so it needs no fence: the leader's writes and this one compare the revision they have
 * read, and the one that comes second reads again.
 */
async function edit(
  { store, clock }: EditParts,
  name: ClusterName,
  change: (rollout: RolloutDocument, desired: DesiredDocument) => RolloutDocument,
): Promise<Edited> {
  const keys = { desired: desiredKey(name), rollout: rolloutKey(name) };
  for (let tries = 0; tries < triesMax; tries += 1) {
    const [wanted, stored] = await Promise.all([store.get(keys.desired), store.get(keys.rollout)]);
    const desired = wanted.value === undefined ? undefined : parseDesired(wanted.value.value);
    if (desired === undefined) throw notFound(name);
    const time = clock.now().toISOString();
    const current = stored.value === undefined ? undefined : parseRollout(stored.value.value);
    const isNow = current?.generation === desired.generation;
    const before = isNow ? current : beginRollout(desired, current, time);
    if (before.state === 'done') throw notRollingOut(name, before, 'is done');
    const rollout = { ...change(before, desired), time };
    const { succeeded } = await store.txn({
      conditions: [
        { key: keys.desired, modRevision: wanted.value?.modRevision ?? 0 },
        { key: keys.rollout, modRevision: stored.value?.modRevision ?? 0 },
      ],
      changes: [{ put: keys.rollout, value: JSON.stringify(rollout) }],
    });
    if (succeeded) return { desired, rollout };
  }
  throw new PinfoldError('conflict', { detail: `The rollout of ${name} changes all the time: try again.` });
}

function notRollingOut(name: ClusterName, { generation }: RolloutDocument, how: string): PinfoldError {
  return new PinfoldError('not_rolling_out', {
    detail: `The rollout of generation ${generation} of ${name} ${how}.`,
  });
}
