import type { GcQuestion } from '../../model/gc/plan.ts';
import { type GcSettings, usualGc } from '../../model/gc/policy.ts';
import type { QuarantineNumbers } from '../../model/statistics.ts';
import type { ChangeContext } from '../agent.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { UnheldWatch } from '../inventory/unheld-watch.ts';
import type { KnownMounts } from '../observer/known-mounts.ts';
import type { PinChanges } from '../operation/changes.ts';
import type { OperationEnvironment } from '../operation/environment.ts';
import type { QuarantineLedger } from '../quarantine/ledger.ts';
import { Quarantine, type QuarantinedPins } from '../quarantine/quarantine.ts';
import { Collector, type Planned } from './collector.ts';
import { GcPolicies } from './policies.ts';

/** What an agent makes its clean-up from. */
export interface CollectionParts {
  readonly environment: OperationEnvironment;
  readonly ledger: QuarantineLedger;
  readonly changes: PinChanges;
  readonly inventory: Inventory;
  readonly unheld: UnheldWatch;
  readonly known: KnownMounts;
  /** Nothing is cleaned up by itself unless told. */
  readonly settings: GcSettings | undefined;
  readonly observe: () => Promise<void>;
  readonly onFailure: (error: unknown) => void;
}

/** Cleaning up, as the API sees it. */
export interface GarbageCollection {
  readonly settings: GcSettings;
  plan(question: GcQuestion): Promise<Planned>;
  start(question: GcQuestion, graceMs: number, context: ChangeContext): Promise<Started>;
}

/** A clean-up that has begun; without an operation where nothing is to be done. */
export interface Started extends Planned {
  readonly operationId: string | undefined;
}

/** What an agent has of it: what people ask, and its own beginning and end. */
export interface Collection {
  readonly gc: GarbageCollection;
  readonly quarantine: QuarantinedPins;
  numbers(): QuarantineNumbers;
  /** Before the first pass: what other kernels held went with them. */
  begin(): void;
  afterPass(): void;
  stop(): Promise<void>;
}

/** Builds it. */
export function openCollection(parts: CollectionParts): Collection {
  const { environment, changes, ledger, onFailure } = parts;
  const { store, clock, kernel, usesIds } = environment;
  const settings = parts.settings ?? usualGc;
  const ask = changes.ask.bind(changes);
  const collector = new Collector({ ...environment, ...parts, settings, ask, isPinsOnly: !usesIds });
  const { bootId } = kernel.facts;
  const primaryMount = () => parts.known.primaryId;
  const policies = new GcPolicies({
    policies: settings.policies,
    collector,
    store,
    clock,
    bootId,
    primaryMount,
  });
  return {
    gc: {
      settings,
      plan: (question) => collector.plan(question),
      start: (question, graceMs, context) => collector.start(question, graceMs, context),
    },
    quarantine: new Quarantine({ records: store.quarantine, clock, ask, primaryMount }),
    numbers: () => ({ ...ledger.totals, pins: store.quarantine.count({}) }),
    begin: () => void store.quarantine.forgetOtherBoots(bootId),
    afterPass: () => {
      collector.afterPass();
      policies.afterPass(onFailure);
    },
    stop: () => collector.stop(),
  };
}
