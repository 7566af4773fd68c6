import type { Clock } from '../model/clock.ts';
import { assertLeaseSeconds, assertTransaction } from '../model/cluster/check.ts';
import { type ClusterKey, type ClusterPrefix, parseStoredKey } from '../model/cluster/key.ts';
import type {
  ClusterChange,
  ClusterCondition,
  ClusterEntry,
  ClusterLease,
  ClusterNews,
  ClusterOutcome,
  ClusterReading,
  ClusterStore,
  ClusterTransaction,
} from '../model/cluster/store.ts';
import { PinfoldError } from '../model/error.ts';
import { ClusterHistory, type Wakes } from './cluster-history.ts';
import type { Connection, Statement } from './connection.ts';

/** What leases of a machine go by: time since boot goes on while it sleeps, and cannot be set. */
export interface BootTime {
  readonly bootId: string;
  readonly clock: Clock;
}

interface KeyRow {
  readonly key: string;
  readonly value: string;
  readonly create_revision: number;
  readonly mod_revision: number;
  readonly lease: number | null;
}

/** Leases that end by themselves are looked for this often while somebody watches. */
const sweepMs = 1000;

/**
 * The fleet's store of one machine, in the agent's own database: the same promises as etcd's, kept by
 * SQLite's transactions. Only the process that has the database open writes it, so watches are woken in it.
 */
export class SqliteClusterStore implements ClusterStore {
  readonly #connection: Connection;
  readonly #boot: BootTime;
  readonly #history: ClusterHistory;
  readonly #wakes: Wakes = new Set();
  readonly #sql: ReturnType<typeof statementsOf>;
  #watches = 0;
  #sweeper: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(connection: Connection, boot: BootTime) {
    this.#connection = connection;
    this.#boot = boot;
    this.#sql = statementsOf(connection);
    this.#history = new ClusterHistory(connection, this.#wakes);
  }

  async get(key: ClusterKey): Promise<ClusterReading<ClusterEntry | undefined>> {
    return this.#atomically(() => {
      const row = this.#sql.get.get(key);
      return { value: row === undefined ? undefined : entryOf(row), revision: this.#history.revision() };
    });
  }

  async list(prefix: ClusterPrefix): Promise<ClusterReading<readonly ClusterEntry[]>> {
    return this.#atomically(() => ({
      value: this.#sql.list.all(prefix, endOf(prefix)).map(entryOf),
      revision: this.#history.revision(),
    }));
  }

  async txn(transaction: ClusterTransaction): Promise<ClusterOutcome> {
    assertTransaction(transaction);
    return this.#atomically(() => {
      const succeeded = transaction.conditions.every((condition) => this.#holds(condition));
      if (succeeded) this.#apply(transaction.changes);
      return { succeeded, revision: this.#history.revision() };
    });
  }

  async lease(ttlSeconds: number): Promise<ClusterLease> {
    assertLeaseSeconds(ttlSeconds);
    const ttlMs = ttlSeconds * 1000;
    const row = this.#atomically(() =>
      this.#sql.addLease.get(this.#boot.bootId, ttlMs, Math.ceil(this.#boot.clock.bootMs()) + ttlMs),
    );
    const id = row?.id ?? 0;
    return {
      id: String(id),
      ttlSeconds,
      renew: async () => {
        const renewed = this.#atomically(() =>
          this.#sql.renewLease.run(Math.ceil(this.#boot.clock.bootMs()) + ttlMs, id),
        );
        if (renewed === 0) throw leaseLost();
      },
      revoke: async () => this.#atomically(() => this.#end([id])),
    };
  }

  async *watch(
    prefix: ClusterPrefix,
    fromRevision: number,
    signal: AbortSignal,
  ): AsyncGenerator<ClusterNews, void, undefined> {
    this.#assertOpen();
    this.#keepSweeping(1);
    try {
      yield* this.#history.follow({ from: prefix, to: endOf(prefix) }, fromRevision, signal);
    } finally {
      this.#keepSweeping(-1);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#history.close();
    clearInterval(this.#sweeper);
  }

  /** Ends what is over first, so that nobody reads a key whose lease has ended. */
  #atomically<Result>(body: () => Result): Result {
    this.#assertOpen();
    const before = this.#history.revision();
    const result = this.#connection.transaction(() => {
      this.#expire();
      return body();
    });
    if (this.#history.revision() !== before) for (const wake of this.#wakes) wake();
    return result;
  }

  #assertOpen(): void {
    if (this.#isClosed)
      throw new PinfoldError('cluster_unavailable', { detail: 'The cluster store is closed.' });
  }

  #expire(): void {
    const over = this.#sql.overdue.all(this.#boot.bootId, Math.floor(this.#boot.clock.bootMs()));
    this.#end(over.map(({ id }) => id));
  }

  #end(leases: readonly number[]): void {
    for (const id of leases) {
      const keys = this.#sql.keysOfLease.all(id);
      if (keys.length > 0) this.#apply(keys.map(({ key }) => ({ delete: parseStoredKey(key) })));
      this.#sql.removeLease.run(id);
    }
  }

  #holds(condition: ClusterCondition): boolean {
    const row = this.#sql.get.get(condition.key);
    if ('modRevision' in condition) return (row?.mod_revision ?? 0) === condition.modRevision;
    return row?.value === condition.value;
  }

  /** One revision for all of it; what deletes only keys that are not there changes nothing. */
  #apply(changes: readonly ClusterChange[]): void {
    const real = changes.filter(
      (change) => 'put' in change || this.#sql.get.get(change.delete) !== undefined,
    );
    if (real.length === 0) return;
    const revision = this.#history.next();
    for (const change of real) {
      if ('put' in change) this.#put(change, revision);
      else {
        this.#sql.remove.run(change.delete);
        this.#history.note({ revision, key: change.delete, value: null, createRevision: 0 });
      }
    }
  }

  #put({ put: key, value, lease }: Extract<ClusterChange, { put: ClusterKey }>, revision: number): void {
    const leaseId = lease === undefined ? null : Number(lease.id);
    if (leaseId !== null && this.#sql.findLease.get(leaseId) === undefined) throw leaseLost();
    const createRevision = this.#sql.get.get(key)?.create_revision ?? revision;
    this.#sql.put.run(key, value, createRevision, revision, leaseId);
    this.#history.note({ revision, key, value, createRevision });
  }

  #keepSweeping(more: 1 | -1): void {
    this.#watches += more;
    if (this.#watches === 0) {
      clearInterval(this.#sweeper);
      this.#sweeper = undefined;
      return;
    }
    this.#sweeper ??= setInterval(() => {
      const over = this.#sql.overdue.all(this.#boot.bootId, Math.floor(this.#boot.clock.bootMs()));
      if (over.length > 0) this.#atomically(() => undefined);
    }, sweepMs).unref();
  }
}

function statementsOf(connection: Connection) {
  const columns = 'key, value, create_revision, mod_revision, lease';
  const statement = <Row>(sql: string): Statement<Row> => connection.prepare<Row>(sql);
  return {
    get: statement<KeyRow>(`SELECT ${columns} FROM cluster_key WHERE key = ?`),
    list: statement<KeyRow>(`SELECT ${columns} FROM cluster_key WHERE key >= ? AND key < ? ORDER BY key`),
    put: statement(`INSERT OR REPLACE INTO cluster_key (${columns}) VALUES (?, ?, ?, ?, ?)`),
    remove: statement('DELETE FROM cluster_key WHERE key = ?'),
    keysOfLease: statement<KeyRow>(`SELECT ${columns} FROM cluster_key WHERE lease = ? ORDER BY key`),
    addLease: statement<{ readonly id: number }>(
      'INSERT INTO cluster_lease (boot_id, ttl_ms, ends_ms) VALUES (?, ?, ?) RETURNING id',
    ),
    findLease: statement<{ readonly id: number }>('SELECT id FROM cluster_lease WHERE id = ?'),
    renewLease: statement('UPDATE cluster_lease SET ends_ms = ? WHERE id = ?'),
    overdue: statement<{ readonly id: number }>(
      'SELECT id FROM cluster_lease WHERE boot_id <> ? OR ends_ms <= ?',
    ),
    removeLease: statement('DELETE FROM cluster_lease WHERE id = ?'),
  };
}

function entryOf(row: KeyRow): ClusterEntry {
  return {
    key: parseStoredKey(row.key),
    value: row.value,
    createRevision: row.create_revision,
    modRevision: row.mod_revision,
  };
}

/** The first key after a prefix, which ends with a slash: `0` follows `/` in ASCII. */
function endOf(prefix: ClusterPrefix): string {
  return `${prefix.slice(0, -1)}0`;
}

function leaseLost(): PinfoldError {
  return new PinfoldError('lease_lost', { detail: 'The lease is over, with what was put under it.' });
}
