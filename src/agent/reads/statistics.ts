import type { Kernel } from '../../kernel/kernel.ts';
import type { Clock } from '../../model/clock.ts';
import { objectKinds, pinnableKinds } from '../../model/kind.ts';
import type { EventDocument } from '../../model/schema/event.ts';
import type { OperationReport, QuarantineNumbers, Statistics } from '../../model/statistics.ts';
import type { Announcements } from '../agent.ts';
import type { ClaimBook } from '../claim/claim-book.ts';
import type { AgentFindings } from '../finding/findings.ts';
import type { Collection } from '../gc/collection.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { Moment } from '../observer/observer.ts';
import type { PassTotals } from '../observer/schedule.ts';
import { ReferenceTally } from '../selection/reference-tally.ts';
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
  readonly inventory: Inventory;
  readonly findings: () => Pick<AgentFindings, 'counts' | 'unexplained'>;
  readonly claims: () => Pick<ClaimBook, 'counts'>;
  readonly collection: () => Pick<Collection, 'numbers'>;
  readonly selected: SelectedPins;
}

/** Counts what memory holds, when asked; passes on reports and events to who listens. */
export class AgentStatistics implements Statistics, Announcements {
  readonly #parts: StatisticsParts;
  readonly #operationListeners: ((report: OperationReport) => void)[] = [];
  readonly #eventListeners: ((events: readonly EventDocument[]) => void)[] = [];

  constructor(parts: StatisticsParts) {
    this.#parts = parts;
  }

  objectCounts(): ReturnType<Statistics['objectCounts']> {
    const { objects } = this.#parts.inventory;
    return objectKinds.flatMap((kind) => {
      const counts = new Map<string, number>();
      for (const { info } of objects.entries(kind)) counts.set(info.type, (counts.get(info.type) ?? 0) + 1);
      return [...counts].map(([type, count]) => ({ kind, type, count }));
    });
  }

  pinCounts(): ReturnType<Statistics['pinCounts']> {
    return [...this.#parts.inventory.mounts()].flatMap((names) => {
      const counts = new Map<string, number>(pinnableKinds.map((kind) => [kind, 0]));
      for (const path of names.pinPaths.items()) {
        const kind = names.findPin(path)?.object.kind;
        if (kind !== undefined) counts.set(kind, (counts.get(kind) ?? 0) + 1);
      }
      return [...counts].map(([kind, count]) => ({ mount: names.mount, kind, count }));
    });
  }

  referenceCounts(): ReturnType<Statistics['referenceCounts']> {
    const tally = new ReferenceTally(this.#parts.inventory);
    return pinnableKinds.flatMap((kind) => tally.sum(kind).map((each) => ({ kind, ...each })));
  }

  unexplainedCounts(): ReturnType<Statistics['unexplainedCounts']> {
    return this.#parts.findings().unexplained();
  }

  memoryCounts(): ReturnType<Statistics['memoryCounts']> {
    const { objects } = this.#parts.inventory;
    return objectKinds.flatMap((kind) => {
      const sums = new Map<string, number>();
      for (const { info } of objects.entries(kind)) {
        if (!('memlock' in info) || info.memlock === undefined) continue;
        sums.set(info.type, (sums.get(info.type) ?? 0) + info.memlock);
      }
      return [...sums].map(([type, bytes]) => ({ kind, type, bytes }));
    });
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
