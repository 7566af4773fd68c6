import { pathMembers } from '../../model/path.ts';
import type { ChangeResult, PlanStep } from '../agent.ts';
import type { Finding } from './hazards.ts';
import type { Move } from './move.ts';
import type { Line } from './planning.ts';
import type { ChangeRequest } from './request.ts';
import type { ChangeSink } from './sink.ts';

/** What a dry run would have done, line by line. */
export function dryAnswer(
  request: ChangeRequest,
  lines: readonly Line[],
  findings: readonly Finding[],
): ChangeResult {
  return answer(request, lines, (line) => {
    const plan = line.moves.map((move) => planStep(move, findings));
    return { operationId: undefined, created: line.created, pin: undefined, plan };
  });
}

/** What a change came to; without an operation where nothing had to change. */
export function doneAnswer(
  request: ChangeRequest,
  lines: readonly Line[],
  done: { readonly sink: ChangeSink; readonly operationId: string | undefined },
): ChangeResult {
  return answer(request, lines, (line) => {
    const state = line.subject?.state;
    const pin = state === undefined ? undefined : done.sink.documentOf(state);
    return { operationId: done.operationId, created: line.created, pin, plan: undefined };
  });
}

/** A single request is answered by its line, a batch by one result a line. */
function answer(
  request: ChangeRequest,
  lines: readonly Line[],
  resultOf: (line: Line) => ChangeResult,
): ChangeResult {
  const results = lines.map(resultOf);
  const [first] = results;
  if (request.kind !== 'batch' && first !== undefined) return first;
  const plan = request.context.dryRun ? results.flatMap((result) => result.plan ?? []) : undefined;
  return { operationId: first?.operationId, created: false, pin: undefined, plan, results };
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
