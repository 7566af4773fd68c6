import type { Outcome } from '../../model/schema/operation.ts';
import type { Intent } from '../../model/store.ts';
import type { OperationEnvironment } from './environment.ts';
import { type Change, isOfNames } from './sink.ts';

/** How an operation ended. */
export interface Settlement {
  readonly intent: Pick<Intent, 'operationId' | 'actor'>;
  readonly outcome: Exclude<Outcome, 'running'>;
  /** Why, where it was not applied or is not known. */
  readonly detail: string | null;
  readonly changes: readonly Change[];
  /** The id of the claim that ends with it, where it was applied. */
  readonly releases?: string | undefined;
}

/**
 * Writes records, events and outcomes of operations in one transaction, and tells the inventory once that
 * stands.
 *
 * @throws PinfoldError storage_full, storage_failed; the intents are then still open, for recovery to settle
 */
export function settle(environment: OperationEnvironment, settlements: readonly Settlement[]): void {
  const { store, sink, quarantine, claims, clock } = environment;
  const at = clock.now().toISOString();
  const operations = settlements.map(({ intent: { actor, operationId }, changes }) => ({
    changes,
    origin: { actor, operationId, at },
  }));
  const publish = store.transaction(() => {
    const tell = sink.record(
      operations.map(({ changes, origin }) => ({ changes: changes.filter(isOfNames), origin })),
    );
    const tellKept = quarantine.record(operations);
    for (const { intent, outcome, detail } of settlements)
      store.journal.settle(intent.operationId, outcome, at, detail);
    const tellReleased = settlements.flatMap(({ intent: { actor, operationId }, outcome, releases }) =>
      releases === undefined || outcome !== 'applied'
        ? []
        : [claims.release(releases, { actor, operationId, at })],
    );
    return () => {
      tell();
      tellKept();
      for (const tellOne of tellReleased) tellOne();
    };
  });
  publish();
}
