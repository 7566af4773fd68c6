import assert from 'node:assert/strict';
import type { Clock } from '../model/clock.ts';
import type { ClusterStore } from '../model/cluster/store.ts';
import type { RemovedEvents, Store } from '../model/store.ts';
import { takeAgentLock } from './agent-lock.ts';
import { backupDatabase } from './backup.ts';
import { Checkpointer } from './checkpointer.ts';
import { SqliteClaimRecords } from './claim-records.ts';
import { SqliteClusterStore } from './cluster-store.ts';
import type { Connection } from './connection.ts';
import { openDatabaseFile } from './database-file.ts';
import { SqliteEventLog } from './event-log.ts';
import { SqliteIdempotencyRecords } from './idempotency-records.ts';
import { judgeFailure } from './inspect.ts';
import { SqliteJournal } from './journal.ts';
import { SqliteObjectRecords } from './object-records.ts';
import { SqlitePathHistory } from './path-history.ts';
import { SqlitePinRecords } from './pin-records.ts';
import { SqlitePinSetRecords } from './pinset-records.ts';
import { SqliteQuarantineRecords } from './quarantine-records.ts';
import { Retention } from './retention.ts';
import { SqliteSettings } from './settings.ts';
import { SqliteSpecificationRecords } from './specification-records.ts';
import { secureStateDir, stateFiles } from './state-dir.ts';
import { SqliteTokenRecords } from './token-records.ts';
import { SqliteUnheldRecords } from './unheld-records.ts';
import { SqliteWebhookRecords } from './webhook-records.ts';

/** What the store must know of its agent. */
export interface StoreOptions {
  readonly stateDir: string;
  /** Stamped on events, with the boot id. */
  readonly node: string;
  readonly bootId: string;
  readonly clock: Clock;
  /** How long events, settled operations and gone records are kept. */
  readonly retentionMs: number;
  /** What events may take in the database, about; what is beyond goes, oldest first. */
  readonly retentionBytes: number;
}

/**
 * Opens the store of a state directory, alone: a second agent there is refused until this one closes or dies.
 *
 * @throws PinfoldError storage_failed, storage_full; whatever is refused stays as it was
 */
export function openStore(options: StoreOptions): Store {
  const files = stateFiles(options.stateDir);
  secureStateDir(files);
  const lock = takeAgentLock(files);
  let connection: Connection | undefined;
  try {
    connection = openDatabaseFile(files);
    return new SqliteStore(connection, lock, options);
  } catch (error) {
    connection?.close();
    lock[Symbol.dispose]();
    throw judgeFailure(files, error);
  }
}

class SqliteStore implements Store {
  readonly identity: string;
  readonly journal: SqliteJournal;
  readonly pins: SqlitePinRecords;
  readonly objects: SqliteObjectRecords;
  readonly specifications: SqliteSpecificationRecords;
  readonly claims: SqliteClaimRecords;
  readonly events: SqliteEventLog;
  readonly paths: SqlitePathHistory;
  readonly quarantine: SqliteQuarantineRecords;
  readonly pinsets: SqlitePinSetRecords;
  readonly tokens: SqliteTokenRecords;
  readonly idempotency: SqliteIdempotencyRecords;
  readonly settings: SqliteSettings;
  readonly webhooks: SqliteWebhookRecords;
  readonly unheld: SqliteUnheldRecords;
  readonly #connection: Connection;
  readonly #lock: Disposable;
  readonly #options: StoreOptions;
  readonly #retention: Retention;
  readonly #checkpointer: Checkpointer;

  constructor(connection: Connection, lock: Disposable, options: StoreOptions) {
    this.#connection = connection;
    this.#lock = lock;
    this.#options = options;
    this.identity = readIdentity(connection);
    this.journal = new SqliteJournal(connection);
    this.pins = new SqlitePinRecords(connection);
    this.objects = new SqliteObjectRecords(connection);
    this.specifications = new SqliteSpecificationRecords(connection);
    this.claims = new SqliteClaimRecords(connection);
    this.events = new SqliteEventLog(connection, options);
    this.paths = new SqlitePathHistory(connection);
    this.quarantine = new SqliteQuarantineRecords(connection);
    this.pinsets = new SqlitePinSetRecords(connection);
    this.tokens = new SqliteTokenRecords(connection);
    this.idempotency = new SqliteIdempotencyRecords(connection, options.clock);
    this.settings = new SqliteSettings(connection);
    this.webhooks = new SqliteWebhookRecords(connection);
    this.unheld = new SqliteUnheldRecords(connection);
    this.#retention = new Retention(connection, this, options);
    this.#checkpointer = new Checkpointer(connection);
    connection.onCommit(() => this.#checkpointer.committed());
  }

  transaction<Result>(body: () => Result): Result {
    return this.#connection.transaction(body);
  }

  prune(): number {
    return this.#retention.prune();
  }

  removedEvents(): RemovedEvents {
    return this.#retention.removed;
  }

  backup(file: string): Promise<{ readonly bytes: number }> {
    return backupDatabase(this.#connection.file, file);
  }

  openCluster(): ClusterStore {
    return new SqliteClusterStore(this.#connection, this.#options);
  }

  close(): void {
    // The last connection that is closed brings over what is left, and removes the log.
    this.#checkpointer.stop();
    this.#connection.close();
    this.#lock[Symbol.dispose]();
  }
}

function readIdentity(connection: Connection): string {
  const row = connection.prepare<{ readonly identity: string }>('SELECT identity FROM store').get();
  assert(row !== undefined, 'the row of the table "store" is there as long as the database is');
  return row.identity;
}
