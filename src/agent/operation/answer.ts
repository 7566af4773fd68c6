import { pathMembers } from '../../model/path.ts';
import type { ChangeResult, PlanStep } from '../agent.ts';
import type { Finding } from './hazards.ts';
import { isOfMany } from './moments.ts';
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
    const plan = line.moves.map((move) => planStep(line, move, findings));
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
  if (!isOfMany(request.kind) && first !== undefined) return first;
  const plan = request.context.dryRun ? results.flatMap((result) => result.plan ?? []) : undefined;
  return { operationId: first?.operationId, created: false, pin: undefined, plan, results };
}

/** The last move of a line is the one that takes names from what they held. */
function planStep({ moves, vacates = [] }: Line, move: Move, findings: readonly Finding[]): PlanStep {
  const own = move.losing();
  const losing = [...(own === undefined ? [] : [own]), ...(move === moves.at(-1) ? vacates : [])];
  const found = findings.filter((finding) =>
    finding.losing.some(({ subject, path }) =>
      losing.some((name) => name.subject === subject && name.path === path),
    ),
  );
  const hazards = [...new Set(found.flatMap((finding) => finding.hazards))];
  const reasons = found.flatMap((finding) => (finding.hazards.length === 0 ? [] : finding.reasons));
  const detail = reasons.length === 0 ? move.sentence : `${move.sentence} (${reasons.join('; ')})`;
  return { action: move.action, ...pathMembers(move.path), detail, hazards };
}
