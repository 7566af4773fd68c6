import { randomBytes, randomUUID } from 'node:crypto';
import type { Kernel } from '../kernel/kernel.ts';
import type { Clock } from '../model/clock.ts';
import { type PinSelection, parsePinSelection } from '../model/finding/selection.ts';
import type { Thresholds } from '../model/finding/thresholds.ts';
import type { GcSettings } from '../model/gc/policy.ts';
import type { OnStep } from '../model/step.ts';
import type { Store } from '../model/store.ts';
import type { Agent } from './agent.ts';
import { openPinSetMeans } from './aside/open-means.ts';
import { ClaimBook } from './claim/claim-book.ts';
import { AgentClaims } from './claim/claims.ts';
import { countersWithout, DumpHolds } from './dump/dump-holds.ts';
import { DumpPool } from './dump/pool.ts';
import { startWorker } from './dump/start-worker.ts';
import { type OpenEdits, openEdits } from './edit/open-edits.ts';
import type { AgentFindings } from './finding/findings.ts';
import { makeFindings } from './finding/make-findings.ts';
import { type Collection, openCollection } from './gc/collection.ts';
import { AgentHistory } from './history/history-reads.ts';
import { NodeLife } from './history/node-life.ts';
import { AgentHolderReads } from './holder/holder-reads.ts';
import type { ReadingParts } from './holder/reading.ts';
import { Abandoned } from './hook/abandoned.ts';
import { AgentHooks } from './hook/hooks.ts';
import { AnnotationIndex } from './inventory/annotations.ts';
import { Inventory } from './inventory/inventory.ts';
import { type Announce, ChangeRecorder } from './inventory/recorder.ts';
import { sortRemembered } from './inventory/remembered.ts';
import { UnheldWatch } from './inventory/unheld-watch.ts';
import { makeObserver, type ObservedParts } from './make-observer.ts';
import { Heap, heapTools } from './observer/heap.ts';
import { KnownMounts } from './observer/known-mounts.ts';
import { MountTable } from './observer/mount-table.ts';
import type { PassKind } from './observer/observer.ts';
import { startRetention } from './observer/retention.ts';
import { type Rhythm, Schedule, usualRhythm } from './observer/schedule.ts';
import { PinChanges } from './operation/changes.ts';
import type { OperationEnvironment } from './operation/environment.ts';
import { operationIds } from './operation/operation-id.ts';
import { QuarantineLedger } from './quarantine/ledger.ts';
import { MapEntries } from './reads/entries.ts';
import type { WhyNoCounters } from './reads/list-objects.ts';
import type { LiveParts } from './reads/live.ts';
import type { NodeOptions } from './reads/node-document.ts';
import { AgentProgramReads } from './reads/program-reads.ts';
import { AgentReads } from './reads/reads.ts';
import { AgentStatistics, type Progress } from './reads/statistics.ts';
import { AgentTypeReads } from './reads/type-reads.ts';
import { AgentUsage } from './reads/usage.ts';
import type { RecoveryReport } from './recovery/recover.ts';
import { Recovery } from './recovery/recovery.ts';
import { SelectedPins } from './selection/selected-pins.ts';
import { AgentSpecifications } from './specification/reads.ts';
import { SpecificationRecorder } from './specification/recorder.ts';
import { PinWaits, type WaitParts } from './wait/pin-waits.ts';

/** What an agent is made from. The kernel and the store stay their maker's to close, after `stop`. */
export interface AgentOptions {
  readonly kernel: Kernel;
  readonly store: Store;
  readonly clock: Clock;
  readonly node: NodeOptions;
  /** `--bpffs`: where the primary instance is mounted. */
  readonly bpffsPath: string;
  /** Tests stop or interfere at the steps of operations; an agent for people leaves it out. */
  readonly onStep?: OnStep;
  /** When to look, if not as usual. */
  readonly rhythm?: Rhythm;
  /** When something is worth a finding, if not as usual. */
  readonly thresholds?: Thresholds;
  /** Pins that have metrics of their own; none unless told. */
  readonly pinSeries?: PinSelection;
  /** How to clean up, if not as usual; nothing is cleaned up by itself unless told. */
  readonly gc?: GcSettings;
  /** Told of a pass or a clean-up that failed; the next one tries again. */
  readonly onFailure: (error: unknown) => void;
}

/** An agent with its beginning and its end. */
export interface StartedAgent {
  readonly agent: Agent;
  /**
   * Recovers what a killed agent left half done, then observes everything once; answers what was recovered.
   */
  start(): Promise<RecoveryReport>;
  /** Lets the observation under way end and lets go of everything. */
  stop(): Promise<void>;
}

/** Builds what a node does, by hand: the one place that knows all parts of it. */
export function createAgent(given: AgentOptions): StartedAgent {
  const holds = new DumpHolds();
  const options = withoutDumps(given, holds);
  const { kernel, store, clock, node, gc: settings, onFailure } = options;
  const progress = { observedAt: () => observed.observer.observedAt, totals: () => schedule.totals() };
  const parts = makeShared(options, { ...progress, findings: () => findings, collection: () => collection });
  const { inventory, known, recorder, claims, selected, statistics, announce } = parts;
  const primaryMount = () => known.primaryId;
  const looking = { kernel, store, clock, isPinsOnly: node.isPinsOnly, announce };
  const observed = makeObserver({ ...parts, ...looking }, () => schedule.wake());
  const environment = makeEnvironment(parts, () => recovery.noteUnsettled());
  const recovery: Recovery = new Recovery(environment);
  const heap = new Heap(heapTools(clock));
  const schedule: Schedule = new Schedule({
    clock,
    rhythm: options.rhythm ?? usualRhythm,
    pass: async (kind) => {
      recovery.settleNow();
      await observed.observer.pass(kind);
      specified?.afterPass(kind !== 'quick');
      if (kind !== 'quick') recovery.tryAgain();
      endClaims(kind);
      await findings.afterPass(kind);
      await selected.afterPass();
      if (kind !== 'quick') await heap.look();
      collection.afterPass();
    },
    onFailure,
  });
  const observe = () => schedule.refresh();
  const endClaims = openClaimEnds(parts);
  const specified = openSpecified(parts);
  const counting = { kernel, clock, inventory, whyNoCounters: whyNoCounters(kernel, node.isPinsOnly), known };
  const holders = new AgentHolderReads({ ...counting, isPinsOnly: node.isPinsOnly, primaryMount });
  const findings = openFindings(parts, { ...counting, primaryMount, observe });
  const live: LiveParts = { ...parts, ...counting, holders, sink: recorder };
  const observedAt = () => observed.observer.observedAt?.at;
  const seen = { observedAt, refresh: observe, startedAt: clock.now(), options: node };
  const reads = new AgentReads({ ...parts, ...live, ...seen, findings });
  const notReady = () => (observedAt() === undefined ? 'The first observation is under way.' : undefined);
  const { pool, contents } = openContents(live, { options, holds });
  const changes = new PinChanges(environment, () => recovery.trySettling());
  const collection = openCollection({ ...parts, environment, changes, settings, observe, onFailure });
  const editing = openEdits({ environment, changes, holds, announce });
  const waits = openWaits(parts, { reads, holders, primaryMount });
  const asking = { inventory, primaryMount, observedAt };
  const claiming = new AgentClaims({ ...asking, book: claims, environment, reads, changes });
  const agent: Agent = {
    reads,
    holders,
    history: new AgentHistory({ ...parts, store, clock, observedAt }),
    findings,
    ...contents,
    ...editing.parts,
    pinsets: openPinSetMeans({ environment, changes, holds }),
    waits,
    hooks: new AgentHooks({ kernel, clock, waits, claims: claiming, book: claims }),
    claims: claiming,
    gc: collection.gc,
    quarantine: collection.quarantine,
    changes,
    store,
    statistics,
    notReady,
  };
  return {
    agent,
    ...makeLife({ options, recovery, schedule, observed, pool, editing, specified, findings, collection }),
  };
}

/** Ends claims that nobody released: their leases are over, or their containers are. */
function openClaimEnds({ options, claims }: SharedParts): (kind: PassKind) => void {
  const abandoned = new Abandoned({ kernel: options.kernel, clock: options.clock, book: claims });
  return (kind) => {
    claims.expire();
    if (kind !== 'quick') abandoned.afterPass();
  };
}

/** Remembers what maps and programs were made with; undefined with `--pins-only`. */
function openSpecified({ options, inventory, statistics }: SharedParts): SpecificationRecorder | undefined {
  const { kernel, store, clock, node, onFailure } = options;
  if (node.isPinsOnly) return undefined;
  const onLeftOut = (parts: number): void => statistics.noteLeftOut(parts);
  const specified = new SpecificationRecorder({ kernel, store, clock, inventory, onLeftOut, onFailure });
  statistics.onEvents((events) => specified.note(events));
  return specified;
}

/** Tries rules after passes; what came or went has it look closer. */
function openFindings(
  { options, known, claims, unheld, statistics }: SharedParts,
  reading: ReadingParts & { readonly observe: () => Promise<void> },
): AgentFindings {
  const { store, node, onFailure, thresholds } = options;
  const announce: Announce = (events) => statistics.announce(events);
  const { isPinsOnly } = node;
  const judging = { known, claims, unheld, isPinsOnly, thresholds };
  const findings = makeFindings({ ...reading, ...judging, store, announce, onFailure });
  statistics.onEvents((events) => findings.note(events));
  return findings;
}

/** Answers who waits for pins; every committed event may be what they wait for. */
function openWaits(
  { options, statistics }: SharedParts,
  looking: Pick<WaitParts, 'reads' | 'holders' | 'primaryMount'>,
): PinWaits {
  const { store, clock } = options;
  const monotonicMs = () => clock.monotonicMs();
  const waits = new PinWaits({ ...looking, events: store.events, monotonicMs });
  statistics.onEvents((events) => waits.note(events));
  return waits;
}

/** Everything that reads what objects consist of, when somebody asks. */
function openContents(
  live: LiveParts,
  { options, holds }: { readonly options: AgentOptions; readonly holds: DumpHolds },
) {
  const { kernel, store, clock, node } = options;
  const { isPinsOnly } = node;
  const { inventory } = live;
  const hold = (id: number) => kernel.objects.holdById('map', id);
  const pool = new DumpPool({ holds, hold, startWorker, monotonicMs: () => clock.monotonicMs() });
  const entries = new MapEntries({ kernel, clock, pool, isPinsOnly });
  const contents = {
    programs: new AgentProgramReads({ ...live, isPinsOnly }),
    types: new AgentTypeReads(kernel, pool, isPinsOnly),
    entries,
    usage: new AgentUsage({ kernel, clock, inventory, isPinsOnly }),
    specifications: new AgentSpecifications({ kernel, store, clock, inventory, entries, isPinsOnly }),
  };
  return { pool, contents };
}

/** What dumps hold is left out of every count, so that nothing else need know of them. */
function withoutDumps(options: AgentOptions, holds: DumpHolds): AgentOptions {
  const { kernel } = options;
  return { ...options, kernel: { ...kernel, counters: countersWithout(holds, kernel.counters) } };
}

/** What is known only once everything has been put together. */
interface Later extends Progress {
  readonly findings: () => AgentFindings;
  readonly collection: () => Collection;
}

function makeShared(options: AgentOptions, later: Later): SharedParts {
  const { kernel, store, clock } = options;
  const { bootId } = kernel.facts;
  const inventory = new Inventory();
  const known = new KnownMounts();
  const selection = options.pinSeries ?? parsePinSelection(undefined);
  const selected = new SelectedPins({ kernel, clock, inventory, selection });
  const counted = { kernel, clock, store, inventory, claims: () => claims, selected };
  const statistics = new AgentStatistics({ ...counted, ...later });
  const announce: Announce = (events) => statistics.announce(events);
  const annotations = loadAnnotations(store, bootId);
  const primaryMount = () => known.primaryId;
  const claims = new ClaimBook({ store, clock, bootId, announce, primaryMount });
  return {
    options,
    inventory,
    known,
    recorder: new ChangeRecorder({ store, inventory, annotations, claims, announce }),
    mounts: new MountTable(kernel, options.bpffsPath),
    claims,
    unheld: new UnheldWatch({ counters: kernel.counters, clock, inventory, store, bootId }),
    ledger: new QuarantineLedger(store, bootId, announce),
    statistics,
    selected,
    announce,
  };
}

/** What both the observer and the operations stand on. */
interface SharedParts {
  readonly options: AgentOptions;
  readonly inventory: Inventory;
  readonly known: KnownMounts;
  readonly recorder: ChangeRecorder;
  readonly mounts: MountTable;
  readonly claims: ClaimBook;
  readonly unheld: UnheldWatch;
  readonly ledger: QuarantineLedger;
  readonly statistics: AgentStatistics;
  readonly selected: SelectedPins;
  readonly announce: Announce;
}

function makeEnvironment(
  { options, recorder, mounts, claims, ledger, statistics }: SharedParts,
  onUnsettled: () => void,
): OperationEnvironment {
  const { kernel, store, clock, node } = options;
  return {
    kernel,
    store,
    sink: recorder,
    quarantine: ledger,
    claims,
    mounts,
    clock,
    agentUuid: agentUuid(store),
    newOperationId: operationIds(clock, randomBytes),
    isReadOnly: node.isReadOnly,
    usesIds: !node.isPinsOnly,
    onStep: options.onStep ?? (() => undefined),
    onUnsettled,
    onOperation: (report) => statistics.reportOperation(report),
  };
}

function makeLife({
  options,
  recovery,
  schedule,
  observed,
  pool,
  editing,
  specified,
  findings,
  collection,
}: {
  readonly options: AgentOptions;
  readonly recovery: Recovery;
  readonly schedule: Schedule;
  readonly observed: ObservedParts;
  readonly pool: DumpPool;
  readonly editing: OpenEdits;
  readonly specified: SpecificationRecorder | undefined;
  readonly findings: AgentFindings;
  readonly collection: Collection;
}): Pick<StartedAgent, 'start' | 'stop'> {
  const { store, clock, kernel } = options;
  const { bootId, release } = kernel.facts;
  const life = new NodeLife({ ...options, release });
  let stopRetention = (): Promise<void> => Promise.resolve();
  return {
    start: async () => {
      const report = recovery.run();
      collection.begin();
      observed.writer.events([life.started()]);
      store.objects.markOtherBootsGone(bootId, clock.now().toISOString());
      observed.observer.recall(
        sortRemembered(store.pins.listPresent(), store.objects.listPresent(bootId), bootId),
      );
      await schedule.start();
      life.beginNoting();
      stopRetention = startRetention(store, options.onFailure);
      return report;
    },
    stop: async () => {
      await pool.stop();
      await collection.stop();
      await editing.stop();
      await stopRetention();
      await schedule.stop();
      await findings.stop();
      await specified?.stop();
      observed.watches[Symbol.dispose]();
      observed.attribution[Symbol.dispose]();
      life.endNoting();
      if (observed.observer.observedAt !== undefined) observed.writer.events([life.stopped()]);
    },
  };
}

/** What is stored about the pins of this boot; recovery asks for it before anything is observed. */
function loadAnnotations(store: Store, bootId: string): AnnotationIndex {
  const annotations = new AnnotationIndex(bootId);
  for (const record of store.pins.listPresent()) annotations.set(record, record);
  return annotations;
}

/** Names staging entries as ours, for as long as the state directory is the same. */
function agentUuid(store: Store): string {
  const known = store.settings.get('agent_uuid');
  if (known !== undefined) return known;
  const uuid = randomUUID();
  store.settings.set('agent_uuid', uuid);
  return uuid;
}

function whyNoCounters(kernel: Kernel, isPinsOnly: boolean): WhyNoCounters {
  return (kind) => {
    if (kind === 'btf') return 'the kernel has no iterator over BTF';
    return isPinsOnly ? 'the agent runs with --pins-only' : kernel.counters.unavailable(kind);
  };
}
