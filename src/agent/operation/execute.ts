import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import type { OperationKind } from '../../model/schema/operation.ts';
import type { Intent } from '../../model/store.ts';
import type { Phase, Plan } from '../journal/plan.ts';
import { keptIn } from '../quarantine/kept.ts';
import type { OperationEnvironment } from './environment.ts';
import { type Acceptance, findHazards, objectKey, refuseHazards, type Stakes } from './hazards.ts';
import type { Holds } from './holds.ts';
import { momentsOf } from './moments.ts';
import type { Guard, Move, Say } from './move.ts';
import { type Settlement, settle } from './settle.ts';
import type { Site } from './site.ts';

/**
 * One operation that is ready to be carried out: everything it names is held, and nothing has been changed.
 */
export interface Operation {
  readonly environment: OperationEnvironment;
  readonly site: Site;
  readonly holds: Holds;
  readonly moves: readonly Move[];
  readonly intent: Omit<Intent, 'plan' | 'startedAt' | 'bootId' | 'instance'>;
  readonly acceptance: Acceptance;
  /** The claim that ends with it. */
  readonly releases: string | undefined;
}

/** How one operation ended; `error` is what its caller is told, undefined where it was applied. */
interface Ended {
  readonly operation: Operation;
  readonly settlement: Settlement;
  readonly error: unknown;
}

/**
 * Carries a group of operations out: all intents in one transaction; then one operation after another, new
 * pins staged, names changed in order, what goes checked again, displaced pins unlinked and counted; then all
 * outcomes in one transaction. What fails in one is taken back in reverse, and the journal says so; the
 * others go on.
 *
 * Answers what each failed with, undefined where it was applied: PinfoldError of the step that failed, with
 * operation_id; outcome_unknown where taking back failed too, or where it could not be recorded.
 *
 * @throws PinfoldError storage_full, storage_failed where no intent could be written; nothing was done
 */
export function execute(environment: OperationEnvironment, operations: readonly Operation[]): unknown[] {
  if (operations.length === 0) return [];
  for (const { intent } of operations)
    momentsOf(intent.kind, environment.onStep)(readyMoments[intent.kind] ?? 'ready');
  environment.store.transaction(() => operations.forEach(begin));
  return settleAll(environment, whileVisible(operations.map(carryOut)));
}

/** Each has looked whether it can be seen; what became invisible while others worked is taken back. */
function whileVisible(ended: readonly Ended[]): readonly Ended[] {
  const site = ended.length > 1 ? ended[0]?.operation.site : undefined;
  try {
    site?.kernel.bpffs.assertStillVisible(site.root);
    return ended;
  } catch (error) {
    const back = ended.toReversed().map((one) => {
      if (one.error !== undefined) return one;
      const { kind } = one.operation.intent;
      return takeBack(one.operation, momentsOf(kind, one.operation.environment.onStep), error);
    });
    return back.toReversed();
  }
}

function carryOut(operation: Operation): Ended {
  const { environment, intent, moves } = operation;
  const say = momentsOf(intent.kind, environment.onStep);
  operation.site.turn();
  try {
    perform(operation, say);
  } catch (error) {
    return takeBack(operation, say, error);
  }
  const { releases } = operation;
  const settlement = {
    intent,
    outcome: 'applied',
    detail: null,
    changes: changesOf(moves),
    releases,
  } as const;
  return { operation, settlement, error: undefined };
}

/** What has been done when the intent is written, in the words of the kind's steps. */
const readyMoments: Readonly<Partial<Record<OperationKind, string>>> = {
  pin: 'source_held',
  replace: 'source_held',
  unpin: 'checked',
  rename: 'checked',
  quarantine: 'checked',
  restore: 'checked',
  discard: 'checked',
};

function perform(operation: Operation, say: Say): void {
  const { moves, site, intent } = operation;
  say('intent_committed');
  for (const move of moves) move.stage(say);
  if (moves.length > 1) amend(operation, 'moving');
  for (const move of moves) move.apply(say);
  // Before anything goes for good; where nothing does, the look at the end is the same.
  if (moves.some((move) => move.losing() !== undefined)) site.assertStillVisible();
  refuseNow(operation, moves);
  say(intent.kind === 'replace' ? 'checked' : 'checked_again');
  if (moves.length > 1) amend(operation, 'retiring');
  say('committed');
  const guardOf = guardsOf(operation);
  for (const move of moves) move.retire(guardOf(move), say);
  site.assertStillVisible();
}

function begin(operation: Operation): void {
  const { environment, site, intent } = operation;
  environment.store.journal.begin({
    ...intent,
    bootId: environment.kernel.facts.bootId,
    instance: site.instance,
    startedAt: environment.clock.now().toISOString(),
    plan: planOf(operation, 'open'),
  });
}

function amend(operation: Operation, phase: Phase): void {
  operation.environment.store.journal.amend(operation.intent.operationId, planOf(operation, phase));
}

function planOf({ site, moves, releases }: Operation, phase: Phase): Plan {
  const items = moves.map((move) => move.item());
  return { version: 1, mount: site.mount, phase, items, ...(releases === undefined ? {} : { releases }) };
}

/**
 * Each move is guarded by the counters of the one object whose name it lets go, with all other names of that
 * object that go too: what an operation reads grows with its lines, not with their square.
 */
function guardsOf(operation: Operation): (move: Move) => Guard {
  const rivals = new Map<string, Move[]>();
  const rivalsOf = (move: Move): Move[] => {
    const losing = move.losing();
    if (losing === undefined) return [];
    const key = objectKey(losing.subject.object);
    const found = rivals.get(key) ?? [];
    rivals.set(key, found);
    return found;
  };
  for (const move of operation.moves) rivalsOf(move).push(move);
  return (move) => {
    const concerned = rivalsOf(move);
    return () => refuseNow(operation, concerned);
  };
}

/**
 * Refuses what these moves would cost now that every new pin is staged: the counters show those already.
 */
function refuseNow({ environment, holds, acceptance }: Operation, moves: readonly Move[]): void {
  refuseHazards(findHazards(environment, stakesOf({ moves, holds }, [])), acceptance);
}

/** What an operation puts at stake; `arriving` are new pins that the counters do not show yet. */
export function stakesOf(
  { moves, holds }: Pick<Operation, 'moves' | 'holds'>,
  arriving: Stakes['arriving'],
): Stakes {
  return {
    losing: moves.flatMap((move) => move.losing() ?? []),
    arriving,
    oursOf: (object) => holds.countOf(object),
  };
}

/** Undoes all moves in reverse. */
function takeBack(operation: Operation, say: Say, cause: unknown): Ended {
  const { intent, moves } = operation;
  const failures: unknown[] = isPinfoldError(cause, 'outcome_unknown') ? [cause] : [];
  if (moves.length > 1) trying(failures, () => amend(operation, 'undoing'));
  for (const move of moves.toReversed()) {
    const hadBegun = move.progress !== 'untouched';
    trying(failures, () => move.undo(() => true));
    if (hadBegun) trying(failures, () => say('step_undone'));
  }
  const isKnown = failures.length === 0;
  const detail = [cause, ...failures.filter((failure) => failure !== cause)].map(messageOf).join(' ');
  const outcome = isKnown ? 'not_applied' : 'unknown';
  const error = isKnown
    ? withOperation(cause, intent.operationId)
    : new PinfoldError('outcome_unknown', { detail, operation_id: intent.operationId }, cause);
  const { environment, site } = operation;
  const kept = isKnown
    ? []
    : keptIn(
        environment,
        site,
        moves.map((move) => move.item()),
      );
  const changes = [...changesOf(moves), ...kept];
  return { operation, settlement: { intent, outcome, detail, changes }, error };
}

/** Where outcomes cannot be recorded their intents stay open, and recovery is asked to settle them. */
function settleAll(environment: OperationEnvironment, ended: readonly Ended[]): unknown[] {
  try {
    settle(
      environment,
      ended.map(({ settlement }) => settlement),
    );
  } catch (failure) {
    environment.onUnsettled();
    return ended.map((one) => one.error ?? unrecorded(one, failure));
  }
  for (const { operation, error } of ended) {
    if (error === undefined) momentsOf(operation.intent.kind, environment.onStep)('settled');
  }
  return ended.map(({ error }) => error);
}

function unrecorded({ operation }: Ended, failure: unknown): PinfoldError {
  const detail = 'The change was made, but could not be recorded; the agent settles it as soon as it can.';
  return new PinfoldError('outcome_unknown', { detail, operation_id: operation.intent.operationId }, failure);
}

function changesOf(moves: readonly Move[]) {
  return moves.flatMap((move) => move.changes());
}

function trying(failures: unknown[], attempt: () => void): void {
  try {
    attempt();
  } catch (error) {
    failures.push(error);
  }
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Names the operation in an expected failure; anything else is a defect and stays as it is. */
function withOperation(thrown: unknown, operationId: string): unknown {
  if (!isPinfoldError(thrown)) return thrown;
  return new PinfoldError(thrown.code, { ...thrown.details, operation_id: operationId }, thrown.cause);
}
