import { randomBytes, randomUUID } from 'node:crypto';
import type { Kernel } from '../kernel/kernel.ts';
import type { Clock } from '../model/clock.ts';
import type { NewEvent } from '../model/schema/event.ts';
import type { OnStep } from '../model/step.ts';
import type { Store } from '../model/store.ts';
import type { Agent } from './agent.ts';
import { AnnotationIndex } from './inventory/annotations.ts';
import { Inventory } from './inventory/inventory.ts';
import { ObjectRecorder } from './inventory/object-recorder.ts';
import { ChangeRecorder } from './inventory/recorder.ts';
import { sortRemembered } from './inventory/remembered.ts';
import { DirectoryWatches } from './observer/directory-watches.ts';
import { KnownMounts } from './observer/known-mounts.ts';
import { MountTable } from './observer/mount-table.ts';
import { ObjectSurvey } from './observer/object-survey.ts';
import { Observer } from './observer/observer.ts';
import { startRetention } from './observer/retention.ts';
import { type Rhythm, Schedule, usualRhythm } from './observer/schedule.ts';
import { FindingsWriter } from './observer/writer.ts';
import { PinChanges } from './operation/changes.ts';
import type { OperationEnvironment } from './operation/environment.ts';
import { operationIds } from './operation/operation-id.ts';
import type { WhyNoCounters } from './reads/list-objects.ts';
import type { NodeOptions } from './reads/node-document.ts';
import { AgentReads } from './reads/reads.ts';
import { AgentStatistics } from './reads/statistics.ts';

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
  /** Told of a pass or a clean-up that failed; the next one tries again. */
  readonly onFailure: (error: unknown) => void;
}

/** An agent with its beginning and its end. */
export interface StartedAgent {
  readonly agent: Agent;
  /** Recovers what a killed agent left half done, then observes everything once. @throws what either throws */
  start(): Promise<void>;
  /** Lets the observation under way end and lets go of everything. */
  stop(): Promise<void>;
}

/** Builds what a node does, by hand: the one place that knows all parts of it. */
export function createAgent(options: AgentOptions): StartedAgent {
  const { kernel, store, clock, node } = options;
  const { bootId } = kernel.facts;
  const inventory = new Inventory();
  const annotations = new AnnotationIndex(bootId);
  for (const record of store.pins.listPresent()) annotations.set(record, record);
  const statistics = new AgentStatistics({
    kernel,
    clock,
    inventory,
    observedAtMs: () => observer.observedAtMs,
    totals: () => schedule.totals(),
  });
  const announce = statistics.announce.bind(statistics);
  const recorder = new ChangeRecorder({ store, inventory, annotations, announce });
  const watches = new DirectoryWatches(kernel.openWatcher, () => schedule.wake());
  const mounts = new MountTable(kernel, options.bpffsPath);
  const known = new KnownMounts();
  const objects = new ObjectRecorder({ store, objects: inventory.objects, bootId, announce });
  const writer = new FindingsWriter({ store, inventory, pins: recorder, objects, watches, announce });
  const survey = node.isPinsOnly ? undefined : new ObjectSurvey(kernel, inventory.objects);
  const observer = new Observer({
    kernel, clock, inventory, mounts, known, watches, recorder, writer, objects: survey,
  });
  const schedule = new Schedule({
    clock,
    rhythm: options.rhythm ?? usualRhythm,
    pass: (kind) => observer.pass(kind),
    onFailure: options.onFailure,
  });
  const environment: OperationEnvironment = {
    kernel,
    store,
    sink: recorder,
    mounts,
    clock,
    agentUuid: agentUuid(store),
    newOperationId: operationIds(clock, randomBytes),
    isReadOnly: node.isReadOnly,
    usesIds: !node.isPinsOnly,
    onStep: options.onStep ?? (() => undefined),
    onOperation: (report) => statistics.reportOperation(report),
  };
  const startedAt = clock.now();
  const reads = new AgentReads({
    kernel,
    clock,
    inventory,
    mounts,
    known,
    startedAt,
    sink: recorder,
    options: node,
    whyNoCounters: whyNoCounters(kernel, node.isPinsOnly),
    observedAt: () => observer.observedAt,
    refresh: () => schedule.refresh(),
  });
  const agent: Agent = {
    reads,
    changes: new PinChanges(environment),
    store,
    statistics,
    notReady: () => (observer.observedAt === undefined ? 'The first observation is under way.' : undefined),
  };
  let stopRetention = (): Promise<void> => Promise.resolve();
  return {
    agent,
    start: async () => {
      mounts.scan();
      writer.events([nodeEvent('node.started', clock, nodeFacts(options))]);
      store.objects.markOtherBootsGone(bootId, clock.now().toISOString());
      observer.recall(sortRemembered(store.pins.listPresent(), store.objects.listPresent(bootId), bootId));
      await schedule.start();
      stopRetention = startRetention(store, options.onFailure);
    },
    stop: async () => {
      await stopRetention();
      await schedule.stop();
      watches[Symbol.dispose]();
      if (observer.observedAt !== undefined) writer.events([nodeEvent('node.stopped', clock, nodeFacts(options))]);
    },
  };
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

function nodeFacts({ node, kernel }: AgentOptions): Record<string, unknown> {
  return { name: node.name, version: node.version, kernel: kernel.facts.release, labels: { ...node.labels } };
}

function nodeEvent(type: 'node.started' | 'node.stopped', clock: Clock, facts: Record<string, unknown>): NewEvent {
  const isStart = type === 'node.started';
  return {
    time: clock.now().toISOString(),
    type,
    subject: {},
    before: isStart ? null : facts,
    after: isStart ? facts : null,
    actor: 'kernel',
  };
}
