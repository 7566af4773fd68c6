import type { OperationKind } from '../../model/schema/operation.ts';
import { type OnStep, type StepName, steps } from '../../model/step.ts';
import type { Say } from './move.ts';

const stepByName: ReadonlyMap<string, StepName> = new Map(steps.map((step) => [step, step]));

/** What a batch calls each thing that one of its lines makes visible. */
const visible: ReadonlySet<string> = new Set([
  'named',
  'exchanged',
  'moved_aside',
  'renamed',
  'changed',
  'made',
  'removed',
]);

/**
 * Turns the moments of an operation of a kind into steps; moments that have no name of their own pass in
 * silence.
 */
export function momentsOf(kind: OperationKind, onStep: OnStep): Say {
  return (moment) => {
    const step = stepByName.get(`${kind}.${kind === 'batch' ? nameInBatch(moment) : moment}`);
    if (step !== undefined) onStep(step);
  };
}

function nameInBatch(moment: string): string {
  if (visible.has(moment)) return 'step_done';
  return moment === 'unlinked' ? 'displaced_unlinked' : moment;
}
