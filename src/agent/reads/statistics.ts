import type { Kernel } from '../../kernel/kernel.ts';
import type { Clock } from '../../model/clock.ts';
import type { EventDocument } from '../../model/schema/event.ts';
import type { OperationReport, QuarantineNumbers, Statistics } from '../../model/statistics.ts';
import type { Store } from '../../model/store.ts';
import type { Announcements } from '../agent.ts';
import type { ClaimBook } from '../claim/claim-book.ts';
import type { AgentFindings } from '../finding/findings.ts';
import type { Collection } from '../gc/collection.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { Moment } from '../observer/observer.ts';
import type { PassTotals } from '../observer/schedule.ts';
import { InventoryCounts } from '../selection/inventory-counts.ts';
import type { SelectedPins } from '../selection/selected-pins.ts';

/** How far observing has come. */
export interface Progress {
  readonly observedAt: () => Moment | undefined;
  readonly totals: () => Readonly<Record<'quick' | 'full', PassTotals>>;
}

/** What the numbers are taken from. */
export interface StatisticsParts extends Progress {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly store: Pick<Store, 'events' | 'removedEvents'>;
  readonly inventory: Inventory;
  readonly findings: () => Pick<AgentFindings, 'counts' | 'unexplained'>;
  readonly claims: () => Pick<ClaimBook, 'counts'>;
  readonly collection: () => Pick<Collection, 'numbers'>;
  readonly selected: SelectedPins;
}

/** Counts what memory holds, when asked; passes on reports and events to who listens. */
export class AgentStatistics implements Statistics, Announcements {
  readonly #parts: StatisticsParts;
  readonly #counts: InventoryCounts;
  #leftOut = 0;
  readonly #operationListeners: ((report: OperationReport) => void)[] = [];
  readonly #eventListeners: ((events: readonly EventDocument[]) => void)[] = [];

  constructor(parts: StatisticsParts) {
    this.#parts = parts;
    this.#counts = new InventoryCounts(parts.inventory);
  }

  objectCounts(): ReturnType<Statistics['objectCounts']> {
    return this.#counts.types();
  }

  history(): ReturnType<Statistics['history']> {
    const { store } = this.#parts;
    const { floor, lastSeq, bytes } = store.events.extent();
    return { events: lastSeq - floor, bytes, removed: store.removedEvents() };
  }

  pinCounts(): ReturnType<Statistics['pinCounts']> {
    return this.#counts.pins();
  }

  referenceCounts(): ReturnType<Statistics['referenceCounts']> {
    return this.#counts.references();
  }

  unexplainedCounts(): ReturnType<Statistics['unexplainedCounts']> {
    return this.#parts.findings().unexplained();
  }

  memoryCounts(): ReturnType<Statistics['memoryCounts']> {
    return this.#counts
      .types()
      .flatMap(({ kind, type, bytes }) => (bytes === undefined ? [] : { kind, type, bytes }));
  }

  findingCounts(): ReturnType<Statistics['findingCounts']> {
    return this.#parts.findings().counts();
  }

  claimCounts(): ReturnType<Statistics['claimCounts']> {
    return this.#parts.claims().counts();
  }

  selectedPins(seriesMax: number): ReturnType<Statistics['selectedPins']> {
    return this.#parts.selected.take(seriesMax);
  }

  quarantine(): QuarantineNumbers {
    return this.#parts.collection().numbers();
  }

  observation(): ReturnType<Statistics['observation']> {
    const { clock, observedAt, totals } = this.#parts;
    const at = observedAt()?.ms;
    const { quick, full } = totals();
    return {
      ageSeconds: at === undefined ? Number.POSITIVE_INFINITY : (clock.monotonicMs() - at) / 1000,
      passes: [
        { pass: 'quick', ...quick },
        { pass: 'full', ...full },
      ],
    };
  }

  onOperation(listener: (report: OperationReport) => void): void {
    this.#operationListeners.push(listener);
  }

  onEvents(listener: (events: readonly EventDocument[]) => void): void {
    this.#eventListeners.push(listener);
  }

  specificationPartsDropped(): number {
    return this.#leftOut;
  }

  /** Parts of specifications that found no room in the database. */
  noteLeftOut(parts: number): void {
    this.#leftOut += parts;
  }

  openFds(): number {
    return this.#parts.kernel.fds.list().length;
  }

  /** Tells who listens of an operation that has ended. */
  reportOperation(report: OperationReport): void {
    for (const listener of this.#operationListeners) listener(report);
  }

  /** Tells who listens of events that are committed. */
  announce(events: readonly EventDocument[]): void {
    for (const listener of this.#eventListeners) listener(events);
  }
}
