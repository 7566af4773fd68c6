import { type ErrorDetails, isPinfoldError, PinfoldError } from '../../model/error.ts';
import type { OperationKind } from '../../model/schema/operation.ts';
import type { Intent } from '../../model/store.ts';
import type { Phase, Plan } from '../journal/plan.ts';
import { keptIn } from '../quarantine/kept.ts';
import { forPart } from './about.ts';
import { CountedObjects } from './counted.ts';
import type { OperationEnvironment } from './environment.ts';
import { type Acceptance, findHazards, refuseHazards } from './hazards.ts';
import type { Holds } from './holds.ts';
import { momentsOf } from './moments.ts';
import type { Losing, Move, Say } from './move.ts';
import type { Settlement } from './settle.ts';
import type { Sight } from './sight.ts';
import type { Site } from './site.ts';
import { losingOf, objectKey, type Pointers, type Stakes } from './stakes.ts';
import { Turn } from './turn.ts';

/**
 * One operation that is ready to be carried out: everything it names is held, and nothing has been changed.
 */
export interface Operation {
  readonly environment: OperationEnvironment;
  readonly site: Site;
  readonly holds: Holds;
  readonly moves: readonly Move[];
  readonly pointers: Pointers;
  readonly intent: Omit<Intent, 'plan' | 'startedAt' | 'bootId' | 'instance'>;
  readonly acceptance: Acceptance;
  /** The claim that ends with it. */
  readonly releases: string | undefined;
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

/** How one operation ended; `error` is what its caller is told, undefined where it was applied. */
interface Ended {
  readonly settlement: Settlement;
  readonly error: unknown;
}

/**
 * One operation on its way, part by part, with those of its group. What a part throws takes the operation
 * back; the parts that come after it then do nothing.
 */
export class Work {
  readonly operation: Operation;
  readonly #say: Say;
  readonly #turn = new Turn();
  #ended: Ended | undefined;
  #isCounted = false;
  /** Names of a batch that have gone, one at a time; their objects are held to the end. */
  readonly #closed: Losing[] = [];

  constructor(operation: Operation) {
    this.operation = operation;
    this.#say = momentsOf(operation.intent.kind, operation.environment.onStep);
  }

  /** Whether it has not been taken back. */
  get isOn(): boolean {
    return this.#ended === undefined;
  }

  /** The names that it lets go, or has. */
  losing(): readonly Losing[] {
    const losing = losingOf(this.operation.moves, this.operation.pointers);
    return this.#closed.length === 0 ? losing : [...losing, ...this.#closed];
  }

  ready(): void {
    const { kind } = this.operation.intent;
    this.#say(readyMoments[kind] ?? 'ready');
  }

  /** Writes the intent. */
  begin(): void {
    const { environment, site, intent } = this.operation;
    // Written out: every change makes one, and spreading costs as much as writing the row.
    environment.store.journal.begin({
      operationId: intent.operationId,
      kind: intent.kind,
      bootId: environment.kernel.facts.bootId,
      instance: site.instance,
      startedAt: environment.clock.now().toISOString(),
      actor: intent.actor,
      requestId: intent.requestId,
      subject: intent.subject,
      accepted: intent.accepted,
      plan: this.#plan('open'),
    });
  }

  /** Stages new pins and changes names. */
  make(): void {
    this.#attempt(() => {
      const { moves } = this.operation;
      this.#say('intent_committed');
      for (const move of moves) this.#part(move, () => move.stage(this.#say));
      if (moves.length > 1) this.#amend('moving');
      for (const move of moves) this.#part(move, () => move.apply(this.#say));
    });
  }

  /** Throws, and so takes back, where what it has changed cannot be seen. */
  assertSeen(sight: Sight): void {
    this.#attempt(() => sight.assertSeen(this.#turn.parents));
  }

  /** Nothing stands against what goes. */
  commit(): void {
    this.#attempt(() => {
      const { intent, moves } = this.operation;
      this.#say(intent.kind === 'replace' ? 'checked' : 'checked_again');
      if (moves.length > 1) this.#amend('retiring');
      this.#say('committed');
    });
  }

  /**
   * Takes names away for good. Of several moves each is counted and closed at once: they may be a thousand.
   * Their objects stay held, so that all are counted together before the operation ends.
   */
  unlink(): void {
    this.#attempt(() => {
      const { moves } = this.operation;
      if (moves.length === 1) for (const move of moves) move.unlink(this.#say);
      else this.#unlinkInTurn();
    });
  }

  #unlinkInTurn(): void {
    const { moves, pointers } = this.operation;
    const rivalsOf = rivalsAmong(moves);
    for (const move of moves) {
      const rivals = rivalsOf(move);
      this.#part(move, () => move.unlink(this.#say));
      if (rivals.length > 0)
        this.#refuse(losingOf(rivals, pointers), new CountedObjects(this.operation.environment));
      const losing = losingOf([move], pointers);
      this.#part(move, () => move.retire());
      this.#closed.push(...losing.map((one) => ({ ...one, isClosed: true })));
    }
  }

  /** Refuses what goes, together with what goes before it, unless the caller has agreed. */
  assertHarmless(before: readonly Losing[], counted: CountedObjects): void {
    this.#attempt(() => this.#refuse([...this.losing(), ...before], counted));
  }

  #refuse(losing: readonly Losing[], counted: CountedObjects): void {
    refuseHazards(findHazards(counted, stakesOf(this.operation, losing)), this.operation.acceptance);
  }

  /** What was unlinked has been counted. */
  counted(): void {
    if (this.#isCounted) return;
    this.#isCounted = true;
    this.#attempt(() => this.#say('counted'));
  }

  /** Ends it; whatever it kept open is closed. */
  retire(): void {
    this.#attempt(() => {
      for (const move of this.operation.moves)
        if (move.progress !== 'retired') this.#part(move, () => move.retire());
    });
    this.#turn[Symbol.dispose]();
  }

  /** How it ended. */
  end(): Ended {
    if (this.#ended !== undefined) return this.#ended;
    const { intent, moves, releases } = this.operation;
    const changes = changesOf(moves);
    return { settlement: { intent, outcome: 'applied', detail: null, changes, releases }, error: undefined };
  }

  settled(): void {
    if (this.isOn) this.#say('settled');
  }

  /** One step of one move: of several it is said which failed. */
  #part(move: Move, step: () => void): void {
    const pointer = this.operation.pointers.get(move);
    this.#turn.pointer = pointer;
    forPart(pointer, step);
  }

  #attempt(part: () => void): void {
    if (!this.isOn) return;
    this.operation.site.take(this.#turn);
    try {
      part();
    } catch (error) {
      this.#ended = this.#takeBack(error);
      this.#turn[Symbol.dispose]();
    }
  }

  /** Undoes all moves in reverse. */
  #takeBack(cause: unknown): Ended {
    const { environment, site, intent, moves } = this.operation;
    const failures: unknown[] = isPinfoldError(cause, 'outcome_unknown') ? [cause] : [];
    if (moves.length > 1) trying(failures, () => this.#amend('undoing'));
    for (const move of moves.toReversed()) {
      const hadBegun = move.progress !== 'untouched';
      trying(failures, () => this.#part(move, () => move.undo(() => true)));
      if (hadBegun) trying(failures, () => this.#say('step_undone'));
    }
    const isKnown = failures.length === 0;
    const detail = [cause, ...failures.filter((failure) => failure !== cause)].map(messageOf).join(' ');
    const { operationId } = intent;
    const error = isKnown
      ? withOperation(cause, operationId)
      : unknownOutcome([cause, ...failures], { detail, operation_id: operationId });
    const items = moves.map((move) => move.item());
    const kept = isKnown ? [] : keptIn(environment, site, items);
    const outcome = isKnown ? 'not_applied' : 'unknown';
    return { settlement: { intent, outcome, detail, changes: [...changesOf(moves), ...kept] }, error };
  }

  #amend(phase: Phase): void {
    const { environment, intent } = this.operation;
    environment.store.journal.amend(intent.operationId, this.#plan(phase));
  }

  #plan(phase: Phase): Plan {
    const { site, moves, releases } = this.operation;
    const plan: Plan = { version: 1, mount: site.mount, phase, items: moves.map((move) => move.item()) };
    return releases === undefined ? plan : { ...plan, releases };
  }
}

/** What an operation puts at stake by these names, once its new pins are counted already. */
export function stakesOf({ holds }: Pick<Operation, 'holds'>, losing: readonly Losing[]): Stakes {
  return { losing, arriving: [], oursOf: (object) => holds.countOf(object) };
}

/**
 * Of each move those whose names hold the same object, itself among them; none where no name goes. What an
 * operation reads grows with its lines, not with their square.
 */
function rivalsAmong(moves: readonly Move[]): (move: Move) => readonly Move[] {
  const rivals = new Map<string, Move[]>();
  const rivalsOf = (move: Move): Move[] => {
    const losing = move.losing();
    if (losing === undefined) return [];
    const key = objectKey(losing.subject.object);
    const found = rivals.get(key) ?? [];
    rivals.set(key, found);
    return found;
  };
  for (const move of moves) rivalsOf(move).push(move);
  return rivalsOf;
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

/** What could not be put back, with each part of the request that it is about. */
function unknownOutcome(failures: readonly unknown[], details: ErrorDetails): PinfoldError {
  const [cause] = failures;
  const errors = [...new Set(failures)].flatMap((one) => (isPinfoldError(one) && one.details.errors) || []);
  return new PinfoldError(
    'outcome_unknown',
    { ...details, ...(errors.length === 0 ? {} : { errors }) },
    cause,
  );
}

/** Names the operation in an expected failure; anything else is a defect and stays as it is. */
function withOperation(thrown: unknown, operationId: string): unknown {
  if (!isPinfoldError(thrown)) return thrown;
  return new PinfoldError(thrown.code, { ...thrown.details, operation_id: operationId }, thrown.cause);
}
