import type { Clock } from '../../../model/clock.ts';
import type { ClusterName } from '../../../model/cluster/key.ts';
import { planRollout } from '../../../model/cluster/pinset/rollout.ts';
import type { ClusterCondition, ClusterStore } from '../../../model/cluster/store.ts';
import { limits } from '../../../model/limits.ts';
import { describeError, type Log } from '../../../model/log.ts';
import { pause } from '../../backoff.ts';
import { desiredKey, type PinSetBoard, rolloutKey } from './board.ts';
import type { Leadership } from './leadership.ts';

/** What rollouts are advanced with. */
export interface RolloutParts {
  readonly store: ClusterStore;
  readonly board: PinSetBoard;
  readonly leadership: Leadership;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Advances all rollouts while this manager leads. Nothing is remembered from one pass to the next: each
 * computes from what the store tells where every rollout should be, and writes that by a transaction that
 * compares all it went by. So it does not matter who leads, or where the one before was killed.
 */
export class Rollouts {
  readonly #parts: RolloutParts;
  readonly #stopping = new AbortController();
  #wakeUp: () => void = () => undefined;
  #running: Promise<void> | undefined;
  #trouble: string | undefined;

  constructor(parts: RolloutParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends, and lets another manager lead. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wakeUp();
    await this.#running;
    await this.#parts.leadership.resign();
  }

  /** Something has changed: looks soon. */
  wake(): void {
    this.#wakeUp();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const rest = new AbortController();
      this.#wakeUp = () => rest.abort();
      try {
        await this.#parts.leadership.keep();
        await this.#advanceAll();
        this.#note(undefined);
      } catch (error) {
        this.#note(error);
        await pause(limits.rolloutIntervalMs, signal);
      }
      await pause(limits.rolloutIntervalMs, signal, rest.signal);
    }
  }

  async #advanceAll(): Promise<void> {
    const { board, leadership } = this.#parts;
    // Of a board that may be old, nodes may be missing: they would count as not being meant.
    if (board.trouble !== undefined) return;
    for (const name of board.names()) {
      const { fence } = leadership;
      if (fence === undefined || this.#stopping.signal.aborted) return;
      await this.#advance(name, fence);
    }
  }

  async #advance(name: ClusterName, fence: ClusterCondition): Promise<void> {
    const { store, board, leadership, clock } = this.#parts;
    const desired = board.desired(name);
    if (desired?.document === undefined) return;
    const before = board.rollout(name);
    const next = planRollout({
      desired: desired.document,
      nodes: board.nodes(name),
      current: before?.document,
      time: clock.now().toISOString(),
    });
    if (next === before?.document) return;
    const key = rolloutKey(name);
    const { succeeded } = await store.txn({
      conditions: [
        fence,
        { key: desiredKey(name), modRevision: desired.modRevision },
        { key, modRevision: before?.modRevision ?? 0 },
      ],
      changes: [{ put: key, value: JSON.stringify(next) }],
    });
    // Most often the board was behind what this manager has written itself; it comes round again.
    if (!succeeded) await leadership.check();
  }

  #note(error: unknown): void {
    const before = this.#trouble;
    this.#trouble = error === undefined ? undefined : error instanceof Error ? error.message : String(error);
    if (this.#trouble === before || error === undefined) return;
    this.#parts.log.warn('rollouts could not be advanced; it is tried again', {
      cause: describeError(error),
    });
  }
}
