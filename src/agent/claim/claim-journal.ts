import { isPinfoldError } from '../../model/error.ts';
import type { ChangeContext } from '../agent.ts';
import type { OperationEnvironment } from '../operation/environment.ts';
import type { ChangeOrigin } from '../operation/sink.ts';

/** A change of claims that touches nothing in the kernel. */
export interface ClaimChange {
  readonly kind: 'claim' | 'release';
  readonly operationId: string;
  readonly context: ChangeContext;
  /** For `GET /v1/operations/{id}`. */
  readonly subject: Readonly<Record<string, unknown>>;
  /** Writes rows and events, in the transaction; what it answers is called once that is committed. */
  readonly write: (origin: ChangeOrigin) => () => void;
}

/**
 * Carries out a change of claims alone: intent, rows, event and outcome are one transaction, so that a killed
 * agent leaves all of it or nothing.
 *
 * @throws PinfoldError storage_full, storage_failed; nothing was done
 */
export function recordClaim(environment: OperationEnvironment, change: ClaimChange): void {
  const { store, clock, kernel, onStep } = environment;
  const { kind, operationId, context, subject, write } = change;
  const { actor } = context.caller;
  const at = clock.now().toISOString();
  onStep('claim.checked');
  const publish = store.transaction(() => {
    store.journal.begin({
      operationId,
      kind,
      bootId: kernel.facts.bootId,
      instance: '-',
      startedAt: at,
      actor,
      requestId: context.requestId,
      accepted: context.force ? ['force'] : [...context.accept],
      subject,
      plan: { version: 1, claim: operationId },
    });
    const tell = write({ actor, operationId, at });
    store.journal.settle(operationId, 'applied', at, null);
    return tell;
  });
  publish();
  onStep('claim.recorded');
}

/** Tells the metrics how a change of claims ended, whatever way. */
export async function reported<Result extends { readonly operationId: string | undefined }>(
  { clock, onOperation }: OperationEnvironment,
  kind: ClaimChange['kind'],
  change: () => Promise<Result>,
): Promise<Result> {
  const startedMs = clock.monotonicMs();
  const secondsSince = () => (clock.monotonicMs() - startedMs) / 1000;
  try {
    const result = await change();
    const outcome = result.operationId === undefined ? 'not_applied' : 'applied';
    onOperation({ kind, outcome, code: 'ok', seconds: secondsSince() });
    return result;
  } catch (error) {
    const code = isPinfoldError(error) ? error.code : 'internal';
    onOperation({ kind, outcome: 'not_applied', code, seconds: secondsSince() });
    throw error;
  }
}
