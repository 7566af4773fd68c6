import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import { type PinPath, pathMembers } from '../../model/path.ts';
import type { OperationDocument, OperationKind, Outcome } from '../../model/schema/operation.ts';
import type { BatchOperation, DirectoryRequest, PinPatch, PinRequest } from '../../model/schema/request.ts';
import type { ChangeContext, ChangeResult, Changes, MountChoice, PlanStep } from '../agent.ts';
import type { OperationEnvironment } from './environment.ts';
import { execute, stakesOf } from './execute.ts';
import { type Finding, findHazards, refuseHazards } from './hazards.ts';
import { Holds } from './holds.ts';
import type { Move } from './move.ts';
import { planBatch } from './plan-batch.ts';
import { planMakeDirectory, planRemoveDirectory } from './plan-directory.ts';
import { planPatch, planPin, planUnpin } from './plan-pin.ts';
import type { Line, Planning } from './planning.ts';
import { Site } from './site.ts';
import { View } from './view.ts';

/** A change as it was asked for. */
interface Request {
  readonly kind: OperationKind;
  readonly mount: MountChoice;
  readonly context: ChangeContext;
  readonly plan: (planning: Planning) => readonly Line[];
}

/**
 * Every way in which a node's pins are changed.
 *
 * Each call is one critical section on the calling thread: it plans on what it holds, refuses what would lose
 * something, and when it returns the change is applied, recorded and seen by reads. All descriptors are
 * closed by then.
 */
export class PinChanges implements Changes {
  readonly #environment: OperationEnvironment;

  constructor(environment: OperationEnvironment) {
    this.#environment = environment;
  }

  pin(path: PinPath, mount: MountChoice, request: PinRequest, context: ChangeContext): ChangeResult {
    const plan = (planning: Planning) => [planPin(planning, path, request, context)];
    return this.#change({ kind: 'pin', mount, context, plan });
  }

  patch(path: PinPath, mount: MountChoice, patch: PinPatch, context: ChangeContext): ChangeResult {
    const plan = (planning: Planning) => [planPatch(planning, path, patch, context)];
    return this.#change({ kind: 'attributes', mount, context, plan });
  }

  unpin(path: PinPath, mount: MountChoice, context: ChangeContext): ChangeResult {
    const plan = (planning: Planning) => [planUnpin(planning, path, context)];
    return this.#change({ kind: 'unpin', mount, context, plan });
  }

  makeDirectory(
    path: PinPath,
    mount: MountChoice,
    request: DirectoryRequest,
    context: ChangeContext,
  ): ChangeResult {
    const plan = (planning: Planning) => [planMakeDirectory(planning, path, request, context)];
    return this.#change({ kind: 'mkdir', mount, context, plan });
  }

  removeDirectory(path: PinPath, mount: MountChoice, context: ChangeContext): ChangeResult {
    const plan = (planning: Planning) => [planRemoveDirectory(planning, path)];
    return this.#change({ kind: 'rmdir', mount, context, plan });
  }

  batch(operations: readonly BatchOperation[], mount: MountChoice, context: ChangeContext): ChangeResult {
    const plan = (planning: Planning) => planBatch(planning, operations);
    return this.#change({ kind: 'batch', mount, context, plan });
  }

  operation(id: string): OperationDocument | undefined {
    return this.#environment.store.journal.find(id);
  }

  /** Runs one change and reports how it ended, whatever way. */
  #change(request: Request): ChangeResult {
    const { clock, onOperation } = this.#environment;
    const startedMs = clock.monotonicMs();
    const report = (outcome: Exclude<Outcome, 'running'>, code: string): void =>
      onOperation({ kind: request.kind, outcome, code, seconds: (clock.monotonicMs() - startedMs) / 1000 });
    try {
      const result = this.#attempt(request);
      report(result.operationId === undefined ? 'not_applied' : 'applied', 'ok');
      return result;
    } catch (error) {
      const code = isPinfoldError(error) ? error.code : 'internal';
      report(code === 'outcome_unknown' ? 'unknown' : 'not_applied', code);
      throw error;
    }
  }

  #attempt(request: Request): ChangeResult {
    const environment = this.#environment;
    const { context } = request;
    if (environment.isReadOnly) throw agentIsReadOnly();
    const operationId = environment.newOperationId();
    using site = Site.open(environment, request.mount, !context.dryRun);
    using holds = new Holds();
    let slots = 0;
    const newSlot = (): string =>
      `${environment.agentUuid}-${operationId}${slots++ === 0 ? '' : `-${slots}`}`;
    const planning: Planning = { environment, site, holds, view: new View(site, holds), newSlot };
    const lines = request.plan(planning);
    const moves = lines.flatMap((line) => line.moves);
    const findings = findHazards(
      environment,
      stakesOf(
        { moves, holds },
        moves.flatMap((move) => move.arriving() ?? []),
      ),
    );
    if (context.dryRun) return answer(request, lines, (line) => dryResult(line, findings));
    refuseHazards(findings, context);
    if (moves.length === 0) return answer(request, lines, (line) => doneResult(planning, line, undefined));
    execute({
      environment,
      site,
      holds,
      moves,
      acceptance: context,
      intent: intentOf(operationId, request, { site, lines }),
    });
    return answer(request, lines, (line) => doneResult(planning, line, operationId));
  }
}

function intentOf(
  operationId: string,
  request: Request,
  planned: {
    readonly site: Site;
    readonly lines: readonly Line[];
  },
) {
  const { context, kind } = request;
  return {
    operationId,
    kind: kind === 'batch' ? kind : (planned.lines[0]?.kind ?? kind),
    actor: context.caller.actor,
    requestId: context.requestId,
    accepted: context.force ? ['force'] : [...context.accept],
    subject: subjectOf(planned.site, planned.lines),
  } as const;
}

/** What `GET /v1/operations/{id}` tells of an operation's aim. */
function subjectOf(site: Site, lines: readonly Line[]): Readonly<Record<string, unknown>> {
  const [first] = lines;
  if (lines.length === 1 && first !== undefined) return { mount: site.mount, ...pathMembers(first.path) };
  return {
    mount: site.mount,
    operations: lines.map((line) => ({ op: line.kind, ...pathMembers(line.path) })),
  };
}

/** A single request is answered by its line, a batch by one result a line. */
function answer(
  request: Request,
  lines: readonly Line[],
  resultOf: (line: Line) => ChangeResult,
): ChangeResult {
  const results = lines.map(resultOf);
  const [first] = results;
  if (request.kind !== 'batch' && first !== undefined) return first;
  const plan = request.context.dryRun ? results.flatMap((result) => result.plan ?? []) : undefined;
  return { operationId: first?.operationId, created: false, pin: undefined, plan, results };
}

function doneResult({ environment }: Planning, line: Line, operationId: string | undefined): ChangeResult {
  const state = line.subject?.state;
  const pin = state === undefined ? undefined : environment.sink.documentOf(state);
  return { operationId, created: line.created, pin, plan: undefined };
}

function dryResult(line: Line, findings: readonly Finding[]): ChangeResult {
  const plan = line.moves.map((move) => planStep(move, findings));
  return { operationId: undefined, created: line.created, pin: undefined, plan };
}

function planStep(move: Move, findings: readonly Finding[]): PlanStep {
  const losing = move.losing();
  const finding = findings.find((candidate) =>
    candidate.losing.some(({ subject, path }) => subject === losing?.subject && path === losing.path),
  );
  const reasons = finding === undefined ? '' : ` (${finding.reasons.join('; ')})`;
  const detail = `${move.sentence}${finding?.hazards.length ? reasons : ''}`;
  return { action: move.action, ...pathMembers(move.path), detail, hazards: finding?.hazards ?? [] };
}

function agentIsReadOnly(): PinfoldError {
  return new PinfoldError('read_only', { detail: 'This agent runs with --read-only and changes nothing.' });
}
