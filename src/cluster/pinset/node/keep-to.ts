import type { Agent } from '../../../agent/agent.ts';
import type { Clock } from '../../../model/clock.ts';
import { driftOf } from '../../../model/cluster/pinset/differences.ts';
import { type PinSetPlan, type PlannedStep, planPinSet } from '../../../model/cluster/pinset/plan.ts';
import type { AppliedPinSet } from '../../../model/cluster/pinset/records.ts';
import { isPinfoldError, type PinfoldError } from '../../../model/error.ts';
import { limits } from '../../../model/limits.ts';
import { mayAct, type Role } from '../../../model/role.ts';
import type { Labels } from '../../../model/schema/common.ts';
import type { Drift, PinSetState } from '../../../model/schema/pinset.ts';
import { carryOut, type Draining } from './carry-out.ts';
import { type FactParts, gatherFacts, shownPath, subjectOf } from './facts.ts';
import { usersOf } from './users.ts';

/** What keeping to a set stands on. */
export interface KeepParts extends FactParts {
  /** The most the fleet may do here. */
  readonly roleMax: Role;
  readonly agent: Pick<Agent, 'pinsets' | 'store' | 'creation' | 'changes' | 'holders'>;
  readonly clock: Clock;
}

/** What looking after a set came to. */
export interface Kept {
  readonly state: PinSetState;
  readonly drifts: readonly Drift[];
  readonly detail: string | undefined;
  /** Nothing of the set is left on this node that it could let go of. */
  readonly isClear: boolean;
  /** When to look again, where that is soon. */
  readonly againMs: number | undefined;
  /** Since when an old map has had users, on the monotonic clock. */
  readonly drainingSinceMs: number | undefined;
}

/** A step may open the way for another: a map that was made is then held aside. */
const roundsMax = 4;

/** What came of the steps of one look. */
interface Tally {
  readonly refused: Map<string, Drift>;
  readonly drains: { readonly path: string; readonly draining: Draining }[];
  hasFailed: boolean;
}

/** Whether a set that was applied is still meant for a node. */
export function isMine(set: AppliedPinSet, labels: Labels): boolean {
  return subjectOf(set, labels).isWanted;
}

/**
 * Makes what a set wants so, as far as that may be done, and says what is not. What is refused is drift, and
 * is tried again at the next look; everything else is done all the same.
 */
export async function keepTo(parts: KeepParts, set: AppliedPinSet, before: Kept | undefined): Promise<Kept> {
  // Of one that is gone there may be something left in an instance that was covered when it went.
  if (set.state === 'gone' && !hasAside(parts, set.name)) return ended('ok');
  const tally: Tally = { refused: new Map(), drains: [], hasFailed: false };
  try {
    let plan = await planOf(parts, set);
    for (let round = 0; round < roundsMax; round++) {
      const steps = plan.steps.filter((step) => !isTried(tally, step));
      if (steps.length === 0) break;
      for (const step of steps) await tryStep(parts, set, { step, tally });
      plan = await planOf(parts, set);
    }
    return conclude(parts, set, { plan, tally, before });
  } catch (error) {
    if (!isPinfoldError(error)) throw error;
    return { ...ended('failed'), detail: error.message, isClear: false };
  }
}

async function planOf(parts: KeepParts, set: AppliedPinSet): Promise<PinSetPlan> {
  return planPinSet(await gatherFacts(parts, subjectOf(set, parts.labels)));
}

function isTried({ refused, drains }: Tally, step: PlannedStep): boolean {
  return refused.has(keyOf(step)) || drains.some(({ path }) => path === step.path);
}

async function tryStep(
  { agent, roleMax }: KeepParts,
  { name, generation }: AppliedPinSet,
  { step, tally }: { readonly step: PlannedStep; readonly tally: Tally },
): Promise<void> {
  if (!mayAct(roleMax, 'operator')) {
    const { path, action } = step;
    tally.refused.set(keyOf(step), driftOf(shownPath(path), 'fleet_role', action, roleMax));
    return;
  }
  try {
    const draining = await carryOut({ agent, name, generation }, step);
    if (draining !== undefined) tally.drains.push({ path: step.path, draining });
  } catch (error) {
    if (!isPinfoldError(error)) throw error;
    tally.refused.set(keyOf(step), refusalDrift(step, error));
    if (error.code !== 'hazard') tally.hasFailed = true;
  }
  agent.pinsets.onStep('pinset.step_done');
}

/** A hazard is told by its names: it is what a person can accept. */
function refusalDrift({ path, action }: PlannedStep, error: PinfoldError): Drift {
  const { hazards } = error.details;
  const actual = Array.isArray(hazards) ? hazards.join(', ') : error.message;
  return driftOf(shownPath(path), error.code, action, actual);
}

async function conclude(
  parts: KeepParts,
  set: AppliedPinSet,
  found: { readonly plan: PinSetPlan; readonly tally: Tally; readonly before: Kept | undefined },
): Promise<Kept> {
  const { plan, tally, before } = found;
  const { clock } = parts;
  const drained = tally.drains.map(({ path, draining }) => {
    const users = usersOf(parts.agent, draining.oldId);
    return driftOf(path, 'old_map_still_written_by', `nobody has map ${draining.oldId}`, users);
  });
  const isDraining = drained.length > 0;
  const drainingSinceMs = isDraining ? (before?.drainingSinceMs ?? clock.monotonicMs()) : undefined;
  const drainedMs = drainingSinceMs === undefined ? 0 : clock.monotonicMs() - drainingSinceMs;
  const drifts = [...plan.drifts, ...tally.refused.values(), ...drained];
  const isDrifted = plan.drifts.length + tally.refused.size > 0 || drainedMs > limits.copyPatienceMs;
  const isUnfinished = plan.steps.length > 0;
  const state = tally.hasFailed ? 'failed' : isDrifted ? 'drifted' : isUnfinished ? 'progressing' : 'ok';
  return {
    state,
    drifts,
    detail: undefined,
    isClear: isClear(parts, set),
    againMs: isDraining ? againMs(drainedMs) : undefined,
    drainingSinceMs,
  };
}

/** Often while those who had the map open a moment ago let go of it, then as often as they take part of. */
function againMs(drainedMs: number): number {
  return Math.min(Math.max(limits.copyEveryMs, drainedMs / 8), limits.copyEveryMsMax);
}

/** What it made and does not prune is not its own any longer. */
function isClear({ agent, labels }: KeepParts, set: AppliedPinSet): boolean {
  const { pinsets } = agent.store;
  const { name } = set;
  if (isMine(set, labels)) return false;
  if (set.spec.prune !== true) for (const { path } of pinsets.listMade(name)) pinsets.removeMade(name, path);
  const isHeld = agent.pinsets.asides.list().some(({ pinset }) => pinset === name);
  return !isHeld && pinsets.listMade(name).length === 0;
}

function hasAside({ agent }: KeepParts, name: string): boolean {
  return agent.store.pinsets.listAside().some(({ pinset }) => pinset === name);
}

function keyOf({ path, action }: PlannedStep): string {
  return `${action} ${path}`;
}

function ended(state: PinSetState): Kept {
  const nothing = { detail: undefined, againMs: undefined, drainingSinceMs: undefined };
  return { state, drifts: [], isClear: true, ...nothing };
}
