import type { PinPath } from './path.ts';
import type { Outcome } from './schema/operation.ts';
import type { RemovedEvents } from './store.ts';

/** A pin that has metrics of its own; what is not known, or was not sampled yet, is absent. */
export interface PinSample {
  readonly mount: string;
  readonly path: PinPath;
  readonly kind: string;
  readonly type: string;
  readonly name: string;
  /** Empty for nobody. */
  readonly owner: string;
  readonly references: readonly { readonly holder: string; readonly count: number }[];
  readonly entries?: number;
  readonly maxEntries?: number;
  readonly runs?: number;
  readonly runSeconds?: number;
  readonly recursionMisses?: number;
}

/** Selected pins whose series fit, and what did not. */
export interface SelectedPinSamples {
  readonly samples: readonly PinSample[];
  readonly selected: number;
  readonly seriesDropped: number;
}

/** One way of observing, and what all passes of it have cost so far. */
export interface PassStatistics {
  readonly pass: 'quick' | 'full';
  readonly count: number;
  readonly seconds: number;
}

/** How an operation ended. */
export interface OperationReport {
  readonly kind: string;
  readonly outcome: Exclude<Outcome, 'running'>;
  /** `ok`, or the error's code. */
  readonly code: string;
  readonly seconds: number;
}

/** What became of pins in quarantine since the agent started, and how many are there. */
export interface QuarantineNumbers {
  readonly quarantined: number;
  readonly restored: number;
  readonly discarded: number;
  readonly pins: number;
}

/** The numbers of metrics: the agent has them at hand, and a scrape does not touch the kernel. */
export interface Statistics {
  objectCounts(): readonly { readonly kind: string; readonly type: string; readonly count: number }[];
  /** Memory the kernel accounts to objects. */
  memoryCounts(): readonly { readonly kind: string; readonly type: string; readonly bytes: number }[];
  pinCounts(): readonly { readonly mount: string; readonly kind: string; readonly count: number }[];
  /** Sum of the references on all objects of a kind by who holds them, as far as the observation tells. */
  referenceCounts(): readonly { readonly kind: string; readonly holder: string; readonly count: number }[];
  /** References nobody shows, by kind, when holders were read last; none where they were not. */
  unexplainedCounts(): readonly { readonly kind: string; readonly count: number }[];
  /** Open findings of every rule that could be tried, also none. */
  findingCounts(): readonly { readonly rule: string; readonly severity: string; readonly count: number }[];
  /** Claims, the different paths they name, and how many have expired since the agent started. */
  claimCounts(): { readonly claims: number; readonly pins: number; readonly expired: number };
  /** Pins that have metrics of their own, as long as their series fit; asking keeps their samples fresh. */
  selectedPins(seriesMax: number): SelectedPinSamples;
  quarantine(): QuarantineNumbers;
  observation(): { readonly ageSeconds: number; readonly passes: readonly PassStatistics[] };
  /** How much history is kept, and what clean-up has removed of it since the agent started. */
  history(): { readonly events: number; readonly bytes: number; readonly removed: RemovedEvents };
  onOperation(listener: (operation: OperationReport) => void): void;
  openFds(): number;
  /** Parts of specifications (BTF, instructions) for which the database had no room, since the start. */
  specificationPartsDropped(): number;
}
