import type { Outcome } from '../../model/schema/operation.ts';
import type { Intent } from '../../model/store.ts';
import type { OperationEnvironment } from './environment.ts';
import type { DirectoryChange, PinChange } from './sink.ts';

/** How an operation ended. */
export interface Settlement {
  readonly intent: Pick<Intent, 'operationId' | 'actor'>;
  readonly outcome: Exclude<Outcome, 'running'>;
  /** Why, where it was not applied or is not known. */
  readonly detail: string | null;
  readonly changes: readonly (PinChange | DirectoryChange)[];
}

/**
 * Writes records, events and the outcome of an operation in one transaction, and tells the inventory once
 * that stands.
 *
 * @throws PinfoldError storage_full, storage_failed; the intent is then still open, and recovery settles it
 */
export function settle(environment: OperationEnvironment, settlement: Settlement): void {
  const { store, sink, clock } = environment;
  const { intent, outcome, detail, changes } = settlement;
  const at = clock.now().toISOString();
  const publish = store.transaction(() => {
    const origin = { actor: intent.actor, operationId: intent.operationId, at };
    const tell = sink.record(changes, origin);
    store.journal.settle(intent.operationId, outcome, at, detail);
    return tell;
  });
  publish();
}
