import type { Plan } from '../journal/plan.ts';
import type { Move } from '../operation/move.ts';

/** What becomes of an interrupted operation. */
export type Direction = 'forward' | 'back' | 'nothing';

/**
 * Decides where an interrupted operation goes, from how far each of its moves had come. Pure.
 *
 * A new pin that is staged may be the last thing that holds its object, so it goes forward; a pin that was
 * moved aside and has nothing else to wait for goes back. What was already being taken back goes on being
 * taken back.
 */
export function directionOf(plan: Plan, moves: readonly Move[]): Direction {
  if (moves.every((move) => move.progress === 'untouched'))
    return plan.phase === 'retiring' ? 'forward' : 'nothing';
  if (plan.phase === 'undoing') return 'back';
  if (plan.phase === 'retiring') return 'forward';
  const isOneItem = plan.items.length === 1;
  if (moves.some((move) => move.needsStaging))
    return isOneItem || plan.phase === 'moving' ? 'forward' : 'back';
  const isDone = moves.every((move) => move.progress === 'moved' || move.progress === 'retired');
  return isDone ? 'forward' : 'back';
}
