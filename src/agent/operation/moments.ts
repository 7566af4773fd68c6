import { type OperationKind, operationKinds } from '../../model/schema/operation.ts';
import { type OnStep, type StepName, steps } from '../../model/step.ts';
import type { Say } from './move.ts';

/** `pin.staged` by `pin` and then by `staged`: moments are looked up often, and names not made for it. */
const stepsByKind: ReadonlyMap<string, ReadonlyMap<string, StepName>> = new Map(
  operationKinds.map((kind) => {
    const own = steps.filter((step) => step.startsWith(`${kind}.`));
    return [kind, new Map(own.map((step) => [step.slice(kind.length + 1), step]))];
  }),
);

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
  const own = stepsByKind.get(kind);
  return (moment) => {
    const step = own?.get(isOfMany(kind) ? nameInBatch(moment) : moment);
    if (step !== undefined) onStep(step);
  };
}

/** Kinds whose operations have as many lines as they were asked for. */
export function isOfMany(kind: OperationKind): boolean {
  return kind === 'batch' || kind === 'release';
}

function nameInBatch(moment: string): string {
  if (visible.has(moment)) return 'step_done';
  return moment === 'unlinked' ? 'displaced_unlinked' : moment;
}
