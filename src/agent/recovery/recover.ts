import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import type { Intent } from '../../model/store.ts';
import { type Plan, parsePlan } from '../journal/plan.ts';
import type { OperationEnvironment } from '../operation/environment.ts';
import { settle } from '../operation/settle.ts';
import { Site } from '../operation/site.ts';
import { keptIn } from '../quarantine/kept.ts';
import { type Ending, examine, type Interrupted, resume } from './resume.ts';
import { reviveMoves } from './revive.ts';

/** One intent that was open when the agent started. */
export interface Recovered extends Ending {
  readonly operationId: string;
  readonly kind: string;
}

/** What recovery has done, and what it could not do yet. */
export interface RecoveryReport {
  readonly settled: readonly Recovered[];
  /**
   * Still open, because their instance cannot be changed now: it or this agent is read-only, no path reaches
   * it, or another agent is changing it.
   */
  readonly waiting: readonly { readonly operationId: string; readonly why: string }[];
}

/**
 * Brings every operation that was left open to an end: by a dead agent, before anybody may ask for another;
 * by this one, `whileRunning`, where the disk was too full to record what had come of it. Changes of maps'
 * contents may then still be under way, and are left alone.
 *
 * It looks at the kernel to find out how far each had come, and frees no object nobody agreed to lose: what
 * it cannot name again stays in the staging directory, in quarantine. It may itself be killed
 * at any step: the next start finds the same intents, and the kernel as it was left.
 */
export function recover(environment: OperationEnvironment, whileRunning = false): RecoveryReport {
  const settled: Recovered[] = [];
  const waiting: { operationId: string; why: string }[] = [];
  environment.onStep('recovery.started');
  for (const intent of environment.store.journal.listOpen()) {
    const { operationId, kind } = intent;
    if (whileRunning && (isEdit(intent.plan) || isRun(intent.plan))) continue;
    try {
      settled.push({ operationId, kind, ...recoverOne(environment, intent) });
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      waiting.push({ operationId, why: error.message });
    }
  }
  environment.onStep('recovery.finished');
  return { settled, waiting };
}

function recoverOne(environment: OperationEnvironment, intent: Intent): Ending {
  if (isEdit(intent.plan)) return settleLost(environment, intent, endedInEdit);
  if (isRun(intent.plan)) return settleLost(environment, intent, endedInRun);
  const plan = parsePlan(intent.plan);
  if (plan === undefined) return settleLost(environment, intent, 'Its plan was not written by this version.');
  if (intent.bootId !== environment.kernel.facts.bootId) {
    return settleLost(environment, intent, 'The machine was restarted, and its pins went with the kernel.');
  }
  if (environment.isReadOnly) {
    throw new PinfoldError('read_only', { detail: 'This agent runs with --read-only and changes nothing.' });
  }
  using site = openInstance(environment, plan);
  if (site === undefined || site.instance !== intent.instance) {
    return settleLost(environment, intent, 'The bpffs it was in is gone, and its pins with it.');
  }
  return finish(environment, intent, {
    environment,
    plan,
    moves: reviveMoves(site, plan),
    acceptance: { accept: new Set(intent.accepted), force: intent.accepted.includes('force') },
    say: () => environment.onStep('recovery.kernel_changed'),
    site,
  });
}

function finish(environment: OperationEnvironment, intent: Intent, interrupted: Interrupted): Ending {
  examine(interrupted);
  environment.onStep('recovery.intent_examined');
  const ending = resume(interrupted);
  const { moves, plan, site } = interrupted;
  const changes = [...moves.flatMap((move) => move.changes()), ...keptIn(environment, site, plan.items)];
  settle(environment, [{ intent, ...ending, changes, releases: plan.releases }]);
  environment.onStep('recovery.intent_settled');
  return ending;
}

const endedInEdit = 'The agent ended while it changed the map, and whether it had is not known.';

/** A change of a map's contents, which leaves no trace of how far it came. */
function isEdit(plan: unknown): boolean {
  return typeof plan === 'object' && plan !== null && 'map' in plan && !('items' in plan);
}

const endedInRun =
  'The agent ended in the middle of this clean-up. What it did to each pin is an operation of its own; the ' +
  'rest is as it was.';

/** A clean-up, whose every pin is an operation of its own. */
function isRun(plan: unknown): boolean {
  return typeof plan === 'object' && plan !== null && 'gc' in plan;
}

function settleLost(environment: OperationEnvironment, intent: Intent, why: string): Ending {
  const ending = { outcome: 'unknown', detail: `Lost: ${why}` } as const;
  settle(environment, [{ intent, ...ending, changes: [] }]);
  environment.onStep('recovery.intent_settled');
  return ending;
}

/** Undefined where no process sees such an instance any more. */
function openInstance(environment: OperationEnvironment, plan: Plan): Site | undefined {
  try {
    return Site.open(environment, plan.mount, false);
  } catch (error) {
    if (isPinfoldError(error, 'mount_not_found')) return undefined;
    throw error;
  }
}

function isUnreachable(thrown: unknown): thrown is Error {
  return (
    isPinfoldError(thrown, 'mount_unavailable') ||
    isPinfoldError(thrown, 'read_only') ||
    isPinfoldError(thrown, 'overloaded') ||
    isPinfoldError(thrown, 'staging_unsafe')
  );
}
