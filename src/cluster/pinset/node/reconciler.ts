import { isDeepStrictEqual } from 'node:util';
import type { Agent } from '../../../agent/agent.ts';
import type { Clock } from '../../../model/clock.ts';
import { type ClusterName, clusterPrefix, isClusterName, namesOfKey } from '../../../model/cluster/key.ts';
import { parseDesired, parseRollout } from '../../../model/cluster/pinset/documents.ts';
import { mayApply } from '../../../model/cluster/pinset/gate.ts';
import { parsePinSet } from '../../../model/cluster/pinset/parse.ts';
import { pathsOf } from '../../../model/cluster/pinset/plan.ts';
import type { AppliedPinSet } from '../../../model/cluster/pinset/records.ts';
import { isMeantFor } from '../../../model/cluster/pinset/select.ts';
import { statusOf } from '../../../model/cluster/pinset/status.ts';
import type { ClusterStore } from '../../../model/cluster/store.ts';
import { isPinfoldError } from '../../../model/error.ts';
import { limits } from '../../../model/limits.ts';
import { describeError, type Log } from '../../../model/log.ts';
import type { Role } from '../../../model/role.ts';
import type { Labels } from '../../../model/schema/common.ts';
import type { EventDocument } from '../../../model/schema/event.ts';
import type { DesiredDocument, PinSetStatus, RolloutDocument } from '../../../model/schema/pinset.ts';
import { Mirror } from '../../mirror.ts';
import { PinSetHistory } from './history.ts';
import { isMine, type Kept, keepTo } from './keep-to.ts';
import { StatusWriter } from './status-writer.ts';

/** What a node's part in pin sets is made from. */
export interface ReconcilerOptions {
  readonly store: ClusterStore;
  readonly node: ClusterName;
  readonly labels: Labels;
  /** The most the fleet may do here: below operator, pin sets change nothing. */
  readonly roleMax: Role;
  readonly agent: Pick<Agent, 'pinsets' | 'store' | 'creation' | 'changes' | 'holders' | 'statistics'>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Brings a node to what pin sets want of it, and keeps it there.
 *
 * Level-triggered: what is to do is computed anew whenever the store or an observation differs, and every
 * limits.pinSetEveryMs. What was applied is in the node's own database and is kept to whatever becomes of
 * the fleet's store; only what the store says now, and is surely not old, is ever applied.
 */
export class PinSetReconciler {
  readonly #options: ReconcilerOptions;
  readonly #desired: Mirror;
  readonly #rollouts: Mirror;
  readonly #status: StatusWriter;
  readonly #history: PinSetHistory;
  readonly #stopping = new AbortController();
  readonly #statuses = new Map<string, PinSetStatus>();
  readonly #kept = new Map<string, Kept>();
  #paths: ReadonlySet<string> = new Set();
  #wakeUp: () => void = () => undefined;
  #isWoken = false;
  /** Whether the store has taken what this node came to. */
  #isSaid = true;
  #running: Promise<void> | undefined;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    const onChange = () => this.wake();
    // What a pass left because the store was not heard is done when it is, though nothing differs then.
    const heeding = { ...options, onChange, onHeard: onChange };
    this.#desired = new Mirror({ ...heeding, prefix: clusterPrefix('desired') });
    this.#rollouts = new Mirror({ ...heeding, prefix: clusterPrefix('rollout') });
    this.#status = new StatusWriter({ ...options, onChange });
    this.#history = new PinSetHistory(options);
  }

  /** What each applied set came to when it was looked after last. */
  get statuses(): ReadonlyMap<string, PinSetStatus> {
    return this.#statuses;
  }

  /** Why the fleet is not told of them; undefined while it is. */
  get trouble(): string | undefined {
    return this.#status.trouble;
  }

  /** Begins. Resolves after the first pass, also where the store cannot be reached. */
  async start(): Promise<void> {
    this.#options.agent.statistics.onEvents((events) => this.#heed(events));
    const mirrored = Promise.all([this.#desired.start(), this.#rollouts.start(), this.#status.start()]);
    await mirrored;
    await this.#pass();
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.wake();
    await Promise.all([this.#desired.stop(), this.#rollouts.stop(), this.#status.stop(), this.#running]);
  }

  /** Has it look now, or again after the look under way. */
  wake(): void {
    this.#isWoken = true;
    this.#wakeUp();
  }

  /** Somebody else has changed a pin that a set is about. */
  #heed(events: readonly EventDocument[]): void {
    const isConcerned = events.some(
      ({ type, subject, actor }) =>
        type.startsWith('pin.') &&
        !actor.startsWith('pinset:') &&
        subject.path !== undefined &&
        this.#paths.has(subject.path),
    );
    if (isConcerned) this.wake();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#rest();
      if (!signal.aborted) await this.#pass();
    }
  }

  /**
   * Until somebody wakes it, or it is time: sooner while users of an old map may still change it, or where
   * the store did not take what this node came to.
   */
  async #rest(): Promise<void> {
    const waits = [...this.#kept.values()].flatMap(({ againMs }) => againMs ?? []);
    if (!this.#isSaid) waits.push(limits.pinSetSayAgainMs);
    if (this.#isWoken) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(limits.pinSetEveryMs, ...waits));
      this.#wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wakeUp = () => undefined;
  }

  async #pass(): Promise<void> {
    this.#isWoken = false;
    try {
      const desired = documentsOf(this.#desired, parseDesired);
      const byName = new Map<string, DesiredDocument>(desired);
      this.#applyWhatMay(desired);
      const applied = this.#options.agent.store.pinsets.list();
      this.#paths = new Set(applied.flatMap(({ spec }) => pathsOf(spec)));
      for (const set of applied) {
        if (this.#stopping.signal.aborted) return;
        await this.#lookAfter(set, byName.get(set.name));
      }
      this.#isSaid = await this.#status.write(this.#statuses);
      if (this.#isHeard) this.#history.hear(desired, documentsOf(this.#rollouts, parseRollout));
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      this.#options.log.error('pin sets could not be looked after; it is tried again', {
        cause: describeError(error),
      });
    }
  }

  /** The store is trusted only while it is heard: what it said before may be old. */
  get #isHeard(): boolean {
    const mirrors = [this.#desired, this.#rollouts];
    return mirrors.every(({ trouble, revision }) => trouble === undefined && revision > 0);
  }

  #applyWhatMay(desired: ReadonlyMap<ClusterName, DesiredDocument>): void {
    if (!this.#isHeard) return;
    const rollouts = documentsOf(this.#rollouts, parseRollout);
    for (const [name, document] of desired) {
      this.#apply(name, document, rollouts.get(name));
    }
  }

  #apply(name: ClusterName, document: DesiredDocument, rollout: RolloutDocument | undefined): void {
    const { agent, clock, labels, log, node } = this.#options;
    const { pinsets } = agent.store;
    const before = pinsets.find(name);
    const isLeaving = document.deleted === true || !isMeantFor(document.spec, labels);
    if (before === undefined && isLeaving) return;
    if (!mayApply(document, rollout, node, before?.generation ?? 0).may) return;
    const { generation, deleted } = document;
    try {
      const spec = parsePinSet(document.spec, name);
      const state = deleted === true ? 'letting_go' : 'wanted';
      pinsets.put({ name, generation, spec, state, appliedAt: clock.now().toISOString() });
    } catch (error) {
      if (!isPinfoldError(error, 'invalid_input')) throw error;
      log.warn('a pin set is not applied: it is not valid', { name, generation, cause: error.message });
      return;
    }
    agent.pinsets.onStep('pinset.applied');
  }

  async #lookAfter(set: AppliedPinSet, desired: DesiredDocument | undefined): Promise<void> {
    const { agent, clock, labels } = this.#options;
    const kept = await keepTo(this.#options, set, this.#kept.get(set.name));
    this.#kept.set(set.name, kept);
    const isAhead = this.#isHeard && isAheadOf(set, desired);
    const isOver = !isMine(set, labels) && kept.isClear;
    if (isOver && set.state === 'letting_go') agent.store.pinsets.put({ ...set, spec: {}, state: 'gone' });
    if (isOver && !isAhead) {
      this.#statuses.delete(set.name);
      return;
    }
    const { generation } = set;
    const { state, drifts, detail } = kept;
    const seen = Math.max(generation, desired?.generation ?? 0);
    const time = clock.now().toISOString();
    const status = statusOf({ generation, seen, state, drifts, detail, isAhead, time });
    const former = this.#statuses.get(set.name);
    if (former === undefined || factsOf(former) !== factsOf(status)) this.#statuses.set(set.name, status);
  }
}

/**
 * Whether the store knows less than the node: no such set, an older generation, or another wish
 * under the same number, which somebody has given after the store came back from a backup.
 */
function isAheadOf(
  { generation, spec, state, name }: AppliedPinSet,
  desired: DesiredDocument | undefined,
): boolean {
  if (desired === undefined || desired.generation < generation) return true;
  if (desired.generation > generation) return false;
  if ((state === 'wanted') === (desired.deleted === true)) return true;
  return state !== 'gone' && !isDeepStrictEqual({ ...desired.spec, name }, spec);
}

/** What a status says, without when. */
function factsOf({ time: _, ...facts }: PinSetStatus): string {
  return JSON.stringify(facts);
}

/** What a mirror has by the name of the set; what cannot be read is not there. */
function documentsOf<Document>(
  mirror: Mirror,
  parse: (text: string) => Document | undefined,
): ReadonlyMap<ClusterName, Document> {
  const found = new Map<ClusterName, Document>();
  for (const [key, { value }] of mirror.entries) {
    const name = namesOfKey(key)?.[1];
    const document = parse(value);
    if (name !== undefined && isClusterName(name) && document !== undefined) found.set(name, document);
  }
  return found;
}
