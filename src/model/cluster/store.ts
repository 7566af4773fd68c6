import type { ClusterKey, ClusterPrefix } from './key.ts';

/**
 * What a fleet agrees on: a small map of keys to texts, with revisions, transactions, leases and watches.
 *
 * Two backends keep these promises, and one suite of tests is run on both: etcd (src/cluster/etcd) for many
 * machines, and SQLite (src/store) for one. Every call ends within limits.clusterCallMs, by its result or by
 * PinfoldError `cluster_unavailable`; a transaction that ends so may have been carried out all the same.
 */
export interface ClusterStore {
  /** One key, with everything that was acknowledged before. @throws PinfoldError cluster_unavailable */
  get(key: ClusterKey): Promise<ClusterReading<ClusterEntry | undefined>>;
  /** All keys with this prefix, in order, as of one revision. @throws PinfoldError cluster_unavailable */
  list(prefix: ClusterPrefix): Promise<ClusterReading<readonly ClusterEntry[]>>;
  /**
   * All changes or none, if every condition holds. A key is changed once at most.
   *
   * @throws PinfoldError cluster_unavailable, invalid_input for too many or too large, lease_lost for a
   * lease that is over
   */
  txn(transaction: ClusterTransaction): Promise<ClusterOutcome>;
  /** A promise to be alive: what is put under it vanishes when nobody renews it. Whole seconds. */
  lease(ttlSeconds: number): Promise<ClusterLease>;
  /**
   * What changes below a prefix, from a revision on (that one included), without end, until the signal is
   * aborted. A lost connection is made again and nothing is missed; where the store no longer has what came
   * between, the last message says `compacted`, and whoever watches lists anew.
   */
  watch(prefix: ClusterPrefix, fromRevision: number, signal: AbortSignal): AsyncIterable<ClusterNews>;
  /** Lets go of connections; watches end. Leases stay until they are over. */
  close(): Promise<void>;
}

/** What was read, and the revision of the whole store that it is true of. */
export interface ClusterReading<Value> {
  readonly value: Value;
  readonly revision: number;
}

/** A key and its text. Revisions count every transaction of the store that changed something. */
export interface ClusterEntry {
  readonly key: ClusterKey;
  /** JSON; at most limits.clusterValueBytesMax. */
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
}

/** What must be true for a transaction to be carried out; a key that is not there has the revision 0. */
export type ClusterCondition =
  | { readonly key: ClusterKey; readonly modRevision: number }
  | { readonly key: ClusterKey; readonly value: string };

/** One change of a transaction. */
export type ClusterChange =
  | { readonly put: ClusterKey; readonly value: string; readonly lease?: ClusterLease }
  | { readonly delete: ClusterKey };

/** Conditions and changes; limits.clusterTxnOperationsMax of each. */
export interface ClusterTransaction {
  readonly conditions: readonly ClusterCondition[];
  readonly changes: readonly ClusterChange[];
}

/** What became of a transaction. Where a condition did not hold nothing was changed. */
export interface ClusterOutcome {
  readonly succeeded: boolean;
  readonly revision: number;
}

/** A lease that was granted. */
export interface ClusterLease {
  readonly id: string;
  readonly ttlSeconds: number;
  /** Begins its time anew. @throws PinfoldError lease_lost when it is over already, cluster_unavailable */
  renew(): Promise<void>;
  /** Ends it at once, with what was put under it. */
  revoke(): Promise<void>;
}

/** A key that was put, or that went. */
export type ClusterEvent =
  | { readonly type: 'put'; readonly entry: ClusterEntry }
  | { readonly type: 'delete'; readonly key: ClusterKey; readonly modRevision: number };

/** What a watch tells: whole revisions in order, that it is up or down, or that it cannot go on. */
export type ClusterNews =
  | { readonly type: 'events'; readonly revision: number; readonly events: readonly ClusterEvent[] }
  | { readonly type: 'connected' }
  | { readonly type: 'disconnected'; readonly reason: string }
  | { readonly type: 'compacted'; readonly compactRevision: number };
