import type { Clock } from '../model/clock.ts';
import { limits } from '../model/limits.ts';
import type { EventLog } from '../model/store.ts';
import type { Connection, Statement } from './connection.ts';
import { keptSince, type SqliteIdempotencyRecords } from './idempotency-records.ts';
import type { SqliteSpecificationRecords } from './specification-records.ts';

/** How long what is over is kept, and by whose clock. */
export interface RetentionOptions {
  readonly retentionMs: number;
  readonly clock: Clock;
}

/**
 * Forgets what is over: events, settled operations, pins and objects that are gone, answers to idempotency
 * keys, and bytes of specifications that went with their objects.
 *
 * One round is one small transaction a table. What is present or open is never removed, whatever its age.
 */
export class Retention {
  readonly #options: RetentionOptions;
  readonly #events: EventLog;
  readonly #idempotency: SqliteIdempotencyRecords;
  readonly #specifications: SqliteSpecificationRecords;
  readonly #deletes: readonly Statement[];

  constructor(
    connection: Connection,
    parts: {
      readonly events: EventLog;
      readonly idempotency: SqliteIdempotencyRecords;
      readonly specifications: SqliteSpecificationRecords;
    },
    options: RetentionOptions,
  ) {
    this.#options = options;
    this.#events = parts.events;
    this.#idempotency = parts.idempotency;
    this.#specifications = parts.specifications;
    this.#deletes = [
      { table: 'operation', time: 'settled_at' },
      { table: 'pin', time: 'gone_at' },
      { table: 'object', time: 'gone_at' },
    ].map(({ table, time }) =>
      connection.prepare(`
        DELETE FROM ${table} WHERE rowid IN
          (SELECT rowid FROM ${table} WHERE ${time} IS NOT NULL AND ${time} < ? ORDER BY ${time} LIMIT ?)`),
    );
  }

  /**
   * Removes at most limits.deleteChunkRows rows of each table; answers how many went in all, 0 when none is
   * left.
   */
  prune(): number {
    const now = this.#options.clock.now().getTime();
    const olderThan = new Date(now - this.#options.retentionMs).toISOString();
    const rowsMax = limits.deleteChunkRows;
    const removed = this.#deletes.map((statement) => statement.run(olderThan, rowsMax));
    removed.push(this.#events.prune(olderThan, rowsMax));
    removed.push(this.#idempotency.pruneChunk(keptSince(this.#options.clock)));
    removed.push(this.#specifications.pruneChunk(rowsMax));
    return removed.reduce((sum, rows) => sum + rows, 0);
  }
}
