import { assertEditable } from '../../kernel/edit/edit-types.ts';
import type { EditMode } from '../../kernel/edit/elements.ts';
import type { EntryParser } from '../../kernel/edit/entry-input.ts';
import { editRefusal } from '../../kernel/edit/refusal.ts';
import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import type { EntryChoice } from '../../model/schema/entry.ts';
import type { EntryBatchResult } from '../../model/schema/entry-batch.ts';
import type { ChangeContext } from '../agent.ts';
import type { DumpHolds } from '../dump/dump-holds.ts';
import { Applier } from './applier.ts';
import { type BatchInput, takeIn } from './batch-input.ts';
import { EditJournal, type JournalParts } from './journal.ts';
import type { EditStep, MapEdits } from './map-edits.ts';
import { Slices } from './slices.ts';

/** What batches stand on. */
export interface BatchParts extends JournalParts {
  readonly edits: Pick<MapEdits, 'hold' | 'parserOf'>;
  /** Lists the maps that are held longer than one turn of the event loop. */
  readonly holds: DumpHolds;
}

/** Which map a batch is for, and how its lines are meant. */
export interface BatchTarget {
  readonly mapId: number;
  readonly choice: EntryChoice;
  readonly mode: EditMode;
}

/** What a batch came to, or, for a dry run, what it would do. */
export type BatchOutcome = EntryBatchResult | { readonly plan: readonly EditStep[] };

/** Changes many entries of a map, in slices between which others have the event loop. */
export class EntryBatches {
  readonly #parts: BatchParts;
  readonly #journal: EditJournal;
  readonly #running = new Set<Promise<BatchOutcome>>();

  constructor(parts: BatchParts) {
    this.#parts = parts;
    this.#journal = new EditJournal(parts);
  }

  /**
   * Carries a batch out while it is read. Lines fail one by one; what refuses the whole of it comes before
   * the first is read.
   *
   * @throws PinfoldError object_not_found, not_editable, map_frozen, too_many_requests, body_too_large, …
   */
  async run(target: BatchTarget, input: BatchInput, context: ChangeContext): Promise<BatchOutcome> {
    if (this.#running.size >= limits.editBatchesMax) {
      const detail = `${limits.editBatchesMax} batches are being carried out already.`;
      throw new PinfoldError('too_many_requests', { detail, limit: 'batches', retry_after: 1 });
    }
    const startedMs = this.#parts.environment.clock.monotonicMs();
    const running = this.#carryOut(target, input, context);
    this.#running.add(running);
    try {
      const outcome = await running;
      this.#journal.tell('entries_batch', startedMs, undefined);
      return outcome;
    } catch (error) {
      this.#journal.tell('entries_batch', startedMs, error);
      throw error;
    } finally {
      this.#running.delete(running);
    }
  }

  /** Waits until every batch is settled; to be called when their bodies come to an end. */
  async stop(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  async #carryOut(target: BatchTarget, input: BatchInput, context: ChangeContext): Promise<BatchOutcome> {
    const { edits, holds, environment } = this.#parts;
    const map = edits.hold(target.mapId);
    using _listed = holds.add(map);
    const parser = edits.parserOf(map, target.choice);
    assertWholeEditable(parser, input);
    const bench = { kernel: environment.kernel, map, editing: parser.editing, acceptance: context };
    const applier = new Applier(bench, { mode: target.mode, isDry: context.dryRun });
    const intake = { parser, applier, slices: new Slices(environment.clock) };
    if (!context.dryRun) return await this.#journalled(input, intake, context);
    await takeIn(input, intake);
    const detail = `change ${applier.done} entries; ${applier.failed} lines are not understood`;
    return { plan: [{ action: 'batch', detail, hazards: [] }] };
  }

  async #journalled(
    input: BatchInput,
    intake: { readonly parser: EntryParser; readonly applier: Applier; readonly slices: Slices },
    context: ChangeContext,
  ): Promise<EntryBatchResult> {
    const { applier, parser } = intake;
    const { info } = parser.editing.shape;
    const intent = { kind: 'entries_batch', info, context } as const;
    const operationId = this.#journal.begin(intent);
    let failure: unknown;
    try {
      await takeIn(input, intake);
    } catch (error) {
      failure = error;
      applier.flush();
    }
    const { done, failed, failures } = applier;
    const why = failure instanceof Error ? ` It ended early: ${failure.message}` : '';
    const after = { action: 'batch', entries: done };
    this.#journal.settle(operationId, intent, {
      outcome: done > 0 || (failed === 0 && failure === undefined) ? 'applied' : 'not_applied',
      detail: `${done} entries were changed, ${failed} failed.${why}`,
      ...(done > 0 ? { event: { type: 'entry.changed', after } as const } : {}),
    });
    if (failure === undefined) {
      return { operation_id: operationId, atomic: false, done, failed, failures: [...failures] };
    }
    const account = { operation_id: operationId, done, failed };
    if (!isPinfoldError(failure)) throw new PinfoldError('internal', account, failure);
    throw new PinfoldError(failure.code, { ...failure.details, ...account }, failure.cause);
  }
}

/** What the API asks of it. */
export type BatchEdits = Pick<EntryBatches, 'run'>;

/** @throws PinfoldError not_editable, map_frozen: what every line would fail by */
function assertWholeEditable({ editing }: EntryParser, input: BatchInput): void {
  const { shape, rule } = editing;
  const action = input.kind === 'packed' ? input.action : 'put';
  if (input.kind === 'packed' || rule.remove !== true) assertEditable(editing, action);
  if (shape.info.frozen === true) throw editRefusal(editing, action, 'EPERM');
  if (input.kind !== 'packed' || rule.reference?.kind !== 'socket') return;
  const { id, type } = shape.info;
  const detail = `Values of map ${id} (${type}) are sockets, which have no packed form.`;
  throw new PinfoldError('not_editable', { detail, kind: 'map', id });
}
