import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import type { EventDocument, EventType } from '../../model/schema/event.ts';
import type { MapInfo } from '../../model/schema/map-info.ts';
import type { OperationKind, Outcome } from '../../model/schema/operation.ts';
import type { ChangeContext } from '../agent.ts';
import type { OperationEnvironment } from '../operation/environment.ts';

/** What changes of maps are written down with. */
export interface JournalParts {
  readonly environment: OperationEnvironment;
  readonly announce: (events: readonly EventDocument[]) => void;
}

/** A change of one map's contents. */
export interface EditIntent {
  readonly kind: Extract<OperationKind, 'entry_put' | 'entry_delete' | 'entries_batch' | 'freeze'>;
  readonly info: MapInfo;
  readonly context: ChangeContext;
}

/** What it came to. */
export interface EditEnding {
  readonly outcome: Exclude<Outcome, 'running'>;
  readonly detail: string | null;
  /** What history tells of it; keys and values are contents, which not everybody may read. */
  readonly event?: { readonly type: EventType; readonly after: Readonly<Record<string, unknown>> };
}

/** Writes a change of a map's contents down before it is made, and what it came to after. */
export class EditJournal {
  readonly #parts: JournalParts;

  constructor(parts: JournalParts) {
    this.#parts = parts;
  }

  /** The operation's id, once its intent is committed. @throws PinfoldError storage_full, storage_failed */
  begin({ kind, info, context }: EditIntent): string {
    const { store, clock, kernel, newOperationId } = this.#parts.environment;
    const operationId = newOperationId();
    store.journal.begin({
      operationId,
      kind,
      bootId: kernel.facts.bootId,
      instance: '-',
      startedAt: clock.now().toISOString(),
      actor: context.caller.actor,
      requestId: context.requestId,
      accepted: context.force ? ['force'] : [...context.accept],
      subject: { kind: 'map', id: info.id, type: info.type, name: info.name },
      plan: { version: 1, map: info.id },
    });
    return operationId;
  }

  /** Outcome and event in one transaction. @throws PinfoldError outcome_unknown */
  settle(operationId: string, { info, context }: EditIntent, ending: EditEnding): void {
    const { store, clock } = this.#parts.environment;
    const at = clock.now().toISOString();
    const { event } = ending;
    const told = {
      time: at,
      subject: { kind: 'map', id: info.id, type: info.type, name: info.name },
      before: null,
      actor: context.caller.actor,
      operation_id: operationId,
    };
    try {
      const events = store.transaction(() => {
        store.journal.settle(operationId, ending.outcome, at, ending.detail);
        return event === undefined ? [] : store.events.append([{ ...told, ...event }]);
      });
      if (events.length > 0) this.#parts.announce(events);
    } catch (error) {
      const detail = 'The map was changed, but that could not be recorded.';
      throw new PinfoldError('outcome_unknown', { detail, operation_id: operationId }, error);
    }
  }

  /** Runs one change between its intent and its outcome; answers the operation's id. */
  run(intent: EditIntent, event: EditEnding['event'], change: () => void): string {
    const operationId = this.begin(intent);
    try {
      change();
    } catch (error) {
      const isUnknown = isPinfoldError(error, 'outcome_unknown');
      const detail = error instanceof Error ? error.message : String(error);
      this.settle(operationId, intent, { outcome: isUnknown ? 'unknown' : 'not_applied', detail });
      if (!isPinfoldError(error)) throw error;
      throw new PinfoldError(error.code, { ...error.details, operation_id: operationId }, error.cause);
    }
    this.settle(operationId, intent, {
      outcome: 'applied',
      detail: null,
      ...(event === undefined ? {} : { event }),
    });
    return operationId;
  }

  /** Reports a change to the metrics, however it ends. */
  report<Result>(kind: EditIntent['kind'], change: () => Result): Result {
    const startedMs = this.#parts.environment.clock.monotonicMs();
    try {
      const result = change();
      this.tell(kind, startedMs, undefined);
      return result;
    } catch (error) {
      this.tell(kind, startedMs, error);
      throw error;
    }
  }

  /** One line of the metrics about a change that has ended. */
  tell(kind: EditIntent['kind'], startedMs: number, error: unknown): void {
    const { clock, onOperation } = this.#parts.environment;
    const code = error === undefined ? 'ok' : isPinfoldError(error) ? error.code : 'internal';
    const outcome = error === undefined ? 'applied' : code === 'outcome_unknown' ? 'unknown' : 'not_applied';
    onOperation({ kind, outcome, code, seconds: (clock.monotonicMs() - startedMs) / 1000 });
  }
}
