import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import type { OperationReport } from '../../model/statistics.ts';
import type { OperationEnvironment } from './environment.ts';
import { carryOutGroup, type Outcome } from './group.ts';
import type { ChangeRequest } from './request.ts';

/** What a change came to in the end. */
export type Done = Exclude<Outcome, 'postponed'>;

/**
 * Carries changes out in the order in which they were asked for, those that may in groups, and reports how
 * each ended, whatever way. When it returns, what was applied is.
 */
export function carryOut(
  environment: OperationEnvironment,
  requests: readonly ChangeRequest[],
): readonly Done[] {
  const done: Done[] = [];
  while (done.length < requests.length) {
    const [first, ...others] = requests.slice(done.length);
    if (first === undefined) break;
    done.push(...runGroup(environment, [first, ...others.slice(0, companions(first, others))]));
  }
  return done;
}

type Group = readonly [ChangeRequest, ...ChangeRequest[]];

/** How many of the changes after it can share a group with a first one, and with each other. */
function companions(first: ChangeRequest, others: readonly ChangeRequest[]): number {
  if (first.onlyPath === undefined) return 0;
  const paths = new Set<string>([first.onlyPath]);
  const end = others.findIndex(({ onlyPath, mount }) => {
    const fits = onlyPath !== undefined && !paths.has(onlyPath) && mount === first.mount;
    if (fits) paths.add(onlyPath);
    return !fits;
  });
  return Math.min(end < 0 ? others.length : end, limits.changesAGroupMax - 1);
}

function runGroup(environment: OperationEnvironment, group: Group): readonly Done[] {
  const { clock } = environment;
  const startedMs = clock.monotonicMs();
  const outcomes = attempt(environment, group);
  const seconds = (clock.monotonicMs() - startedMs) / 1000;
  return group.map((request, index) => {
    const outcome = outcomes[index] ?? 'postponed';
    if (outcome === 'postponed') return runAlone(environment, request);
    environment.onOperation({ kind: request.kind, ...reportOf(outcome), seconds });
    return outcome;
  });
}

function runAlone(environment: OperationEnvironment, request: ChangeRequest): Done {
  const [done] = runGroup(environment, [request]);
  if (done === undefined) throw new TypeError('a change came to nothing');
  return done;
}

/** What fails for all of a group fails for each. */
function attempt(environment: OperationEnvironment, group: Group): readonly Outcome[] {
  try {
    if (environment.isReadOnly) throw agentIsReadOnly();
    return carryOutGroup(environment, group);
  } catch (error) {
    return group.map(() => ({ error }));
  }
}

function reportOf(done: Done): Pick<OperationReport, 'outcome' | 'code'> {
  if ('result' in done) {
    return { outcome: done.result.operationId === undefined ? 'not_applied' : 'applied', code: 'ok' };
  }
  const code = isPinfoldError(done.error) ? done.error.code : 'internal';
  return { outcome: code === 'outcome_unknown' ? 'unknown' : 'not_applied', code };
}

function agentIsReadOnly(): PinfoldError {
  return new PinfoldError('read_only', { detail: 'This agent runs with --read-only and changes nothing.' });
}
