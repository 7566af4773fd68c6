import type { Clock } from '../../../model/clock.ts';
import { type ClusterName, clusterKey } from '../../../model/cluster/key.ts';
import type { ClusterCondition, ClusterLease, ClusterStore } from '../../../model/cluster/store.ts';
import { isPinfoldError } from '../../../model/error.ts';
import { limits } from '../../../model/limits.ts';
import type { Log } from '../../../model/log.ts';

const key = clusterKey('manager', 'leader');

/** Who wants to lead. */
export interface LeadershipParts {
  readonly store: ClusterStore;
  /** The manager's own name. */
  readonly name: ClusterName;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * At most one manager at a time writes rollouts. Who leads has the key `manager/leader` under a lease; the
 * lease only says when another may try. What makes it safe is the fence: every transaction of a leader
 * compares the revision at which it took the key, so that one who was paused and has been replaced writes
 * nothing, whatever it believes.
 */
export class Leadership {
  readonly #parts: LeadershipParts;
  #lease: ClusterLease | undefined;
  #revision = 0;
  #renewedMs = 0;

  constructor(parts: LeadershipParts) {
    this.#parts = parts;
  }

  /** What must hold for this manager's writes; undefined while it does not lead. */
  get fence(): ClusterCondition | undefined {
    return this.#lease === undefined ? undefined : { key, modRevision: this.#revision };
  }

  /**
   * Stays the leader, or becomes it where there is none; to be called again and again.
   *
   * @throws PinfoldError cluster_unavailable
   */
  async keep(): Promise<void> {
    const nowMs = this.#parts.clock.monotonicMs();
    if (this.#lease === undefined) await this.#take(nowMs);
    else if (nowMs - this.#renewedMs > (limits.leaderLeaseSeconds * 1000) / 3)
      await this.#renew(this.#lease, nowMs);
  }

  /** A transaction was refused: looks whether somebody else leads by now. @throws PinfoldError */
  async check(): Promise<void> {
    const { value } = await this.#parts.store.get(key);
    if (value?.modRevision !== this.#revision) this.#lose();
  }

  /** Lets another lead at once. */
  async resign(): Promise<void> {
    const lease = this.#lease;
    this.#lease = undefined;
    await lease?.revoke().catch(() => undefined);
  }

  async #take(nowMs: number): Promise<void> {
    const { store, name, clock, log } = this.#parts;
    const { value: leader } = await store.get(key);
    if (leader !== undefined) return;
    const lease = await store.lease(limits.leaderLeaseSeconds);
    const value = JSON.stringify({ manager: name, since: clock.now().toISOString() });
    const { succeeded, revision } = await store.txn({
      conditions: [{ key, modRevision: 0 }],
      changes: [{ put: key, value, lease }],
    });
    if (!succeeded) return await lease.revoke();
    this.#lease = lease;
    this.#revision = revision;
    this.#renewedMs = nowMs;
    log.info('this manager leads rollouts now', { manager: name });
  }

  async #renew(lease: ClusterLease, nowMs: number): Promise<void> {
    try {
      await lease.renew();
      this.#renewedMs = nowMs;
    } catch (error) {
      if (!isPinfoldError(error, 'lease_lost')) throw error;
      this.#lose();
    }
  }

  #lose(): void {
    this.#lease = undefined;
    this.#parts.log.warn('another manager leads rollouts now', { manager: this.#parts.name });
  }
}
