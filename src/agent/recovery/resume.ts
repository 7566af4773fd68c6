import { pause } from '../../kernel/sys/pause.ts';
import { isPinfoldError } from '../../model/error.ts';
import { hazardsOf } from '../../model/hazard.ts';
import { limits } from '../../model/limits.ts';
import type { Outcome } from '../../model/schema/operation.ts';
import type { Plan } from '../journal/plan.ts';
import { CountedObjects } from '../operation/counted.ts';
import type { OperationEnvironment } from '../operation/environment.ts';
import { type Acceptance, type Finding, findHazards, refuseHazards } from '../operation/hazards.ts';
import type { Move, Say } from '../operation/move.ts';
import type { PinnedObject } from '../operation/sink.ts';
import type { Site } from '../operation/site.ts';
import { directionOf } from './direction.ts';

/** How an interrupted operation ended. */
export interface Ending {
  readonly outcome: Exclude<Outcome, 'running'>;
  readonly detail: string;
}

/** An interrupted operation, its moves revived. */
export interface Interrupted {
  readonly environment: OperationEnvironment;
  readonly site: Site;
  readonly plan: Plan;
  readonly moves: readonly Move[];
  readonly acceptance: Acceptance;
  readonly say: Say;
}

/**
 * Finds out how far each move had come. Moves before the last one that has begun were done, whatever names
 * show now.
 */
export function examine({ plan, moves }: Interrupted): void {
  for (const move of moves) move.examine();
  if (plan.phase === 'open') return;
  const last = plan.phase === 'retiring' ? moves.length : moves.findLastIndex(hasBegun);
  for (const move of moves.slice(0, Math.max(last, 0))) {
    if (move.progress === 'untouched') move.assumeDone();
  }
}

/**
 * Brings an examined operation to an end, forward or back, without freeing anything nobody agreed to lose.
 */
export function resume(interrupted: Interrupted): Ending {
  const { plan, moves } = interrupted;
  switch (directionOf(plan, moves)) {
    case 'nothing':
      return goBack(interrupted, 'It was cut short before anything was changed.');
    case 'forward':
      return goForward(interrupted);
    case 'back':
      return goBack(interrupted, 'It was cut short in the middle; what had been done was taken back.');
  }
}

function goForward(interrupted: Interrupted): Ending {
  const { moves, say } = interrupted;
  try {
    for (const move of moves.filter(({ progress }) => progress === 'staged')) move.stage(say);
    for (const move of moves) move.apply(say);
  } catch (error) {
    if (!isPinfoldError(error)) throw error;
    return goBack(interrupted, `It was cut short in the middle, and could not be finished: ${error.message}`);
  }
  return retire(interrupted);
}

function retire(interrupted: Interrupted): Ending {
  const { environment, moves, say, plan } = interrupted;
  const pending = moves.filter((move) => move.losing() !== undefined);
  const findings = countAll(interrupted);
  const unsafe = pending.filter((move) => !isHarmless(interrupted, findings, move));
  const nothingIsGone = plan.items.length === 1 || plan.phase !== 'retiring';
  const canDrop = moves.every((move) => {
    const object = move.arriving();
    return object === undefined || mayDrop(environment, object);
  });
  if (unsafe.length > 0 && nothingIsGone && canDrop) {
    return goBack(
      interrupted,
      'It was cut short in the middle; finishing would have freed an object, so it was taken back.',
    );
  }
  for (const move of moves) {
    if (unsafe.includes(move) || move.progress === 'retired') continue;
    move.unlink(say);
    move.retire();
  }
  const kept = unsafe.map(
    (move) => `what was at ${move.path} stays in the staging directory, because nothing else holds it`,
  );
  const detail = ['It was cut short in the middle and finished later.', ...kept].join(' ');
  return { outcome: 'applied', detail };
}

/** What all displaced pins hold, counted until what keeps it has proved to stay. */
function countAll({ environment, site, moves }: Interrupted): readonly Finding[] {
  const losing = moves.flatMap((each) => each.losing() ?? []);
  const stakes = { losing, arriving: [], oursOf: () => 0 };
  const counted = new CountedObjects(environment);
  counted.countAgain([stakes], site);
  return findHazards(counted, stakes);
}

/** Whether a displaced pin can go: something else holds its object, or the caller agreed to lose it. */
function isHarmless({ acceptance }: Interrupted, all: readonly Finding[], move: Move): boolean {
  const own = move.losing();
  const findings = all.filter((finding) => finding.losing.some(({ subject }) => subject === own?.subject));
  try {
    refuseHazards(findings, acceptance);
    return true;
  } catch (error) {
    if (isPinfoldError(error, 'hazard')) return false;
    throw error;
  }
}

function goBack(interrupted: Interrupted, why: string): Ending {
  const { environment, moves, say } = interrupted;
  const failures: string[] = [];
  const kept: string[] = [];
  const judge = (object: PinnedObject): boolean => {
    const isSafe = mayDrop(environment, object);
    if (!isSafe)
      kept.push(
        `The new pin of ${object.kind} ${object.id} stays in the staging directory: nothing else holds it.`,
      );
    return isSafe;
  };
  for (const move of moves.toReversed()) {
    move.examine();
    const hadBegun = move.progress !== 'untouched';
    try {
      move.undo(judge);
    } catch (error) {
      if (!isPinfoldError(error)) throw error;
      failures.push(error.message);
    }
    if (hadBegun) say('undone');
  }
  const detail = [why, ...kept, ...failures].join(' ');
  return { outcome: failures.length === 0 ? 'not_applied' : 'unknown', detail };
}

/**
 * Recovery never frees an object: a pin that it made itself may go only while the counters show another
 * holder, one that stays.
 */
function mayDrop({ kernel, usesIds }: OperationEnvironment, object: PinnedObject): boolean {
  const { kind, id, type } = object;
  if (!usesIds || kernel.counters.unavailable(kind) !== undefined) return false;
  const isKept = (): boolean => {
    const counters = kernel.counters.readOne(kind, id);
    return counters !== undefined && hazardsOf({ kind, type, counters, ours: 0, going: 1 }).length === 0;
  };
  return (
    isKept() &&
    limits.recountPausesMs.every((ms) => {
      pause(ms);
      return isKept();
    })
  );
}

function hasBegun(move: Move): boolean {
  return move.progress !== 'untouched' && move.progress !== 'staged';
}
