import type { Clock } from '../model/clock.ts';
import { limits } from '../model/limits.ts';
import type { EventLog, RemovedEvents } from '../model/store.ts';
import type { Connection, Statement } from './connection.ts';
import { HistoryMarks } from './history-marks.ts';
import { keptSince, type SqliteIdempotencyRecords } from './idempotency-records.ts';
import type { SqliteSpecificationRecords } from './specification-records.ts';

/** How long what is over is kept and how much of it, and by whose clocks. */
export interface RetentionOptions {
  readonly retentionMs: number;
  /** What events may take in the database, about. */
  readonly retentionBytes: number;
  readonly bootId: string;
  readonly clock: Clock;
}

/**
 * Forgets what is over: events, settled operations, pins and objects that are gone, answers to idempotency
 * keys, and bytes of specifications that went with their objects.
 *
 * One round is one small transaction a table. What is present or open is never removed, whatever its age.
 * Events go oldest first, by their number, so that history has a beginning and no holes.
 */
export class Retention {
  readonly #options: RetentionOptions;
  readonly #events: EventLog;
  readonly #idempotency: SqliteIdempotencyRecords;
  readonly #specifications: SqliteSpecificationRecords;
  readonly #deletes: readonly Statement[];
  readonly #marks: HistoryMarks;
  readonly #removed: Record<keyof RemovedEvents, number> = { age: 0, count: 0, size: 0 };

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
    this.#marks = new HistoryMarks(connection, { ...options, lastSeq: () => parts.events.lastSeq() });
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

  /** Events removed since the store was opened, by what they were too much of. */
  get removed(): RemovedEvents {
    return this.#removed;
  }

  /**
   * Removes at most limits.deleteChunkRows rows of each table; answers how many went in all, 0 when none is
   * left.
   */
  prune(): number {
    const rowsMax = limits.deleteChunkRows;
    const horizon = this.#marks.advance();
    const removed = horizon === undefined ? [] : this.#deletes.map((each) => each.run(horizon.time, rowsMax));
    removed.push(this.#pruneEvents(horizon?.seq ?? 0, rowsMax));
    removed.push(this.#idempotency.pruneChunk(keptSince(this.#options.clock)));
    removed.push(this.#specifications.pruneChunk(rowsMax));
    return removed.reduce((sum, rows) => sum + rows, 0);
  }

  #pruneEvents(oldSeq: number, rowsMax: number): number {
    const events = this.#events;
    const age = events.prune(oldSeq, rowsMax);
    const count = events.prune(events.lastSeq() - limits.eventsMax, rowsMax - age);
    const size = events.pruneToBytes(this.#options.retentionBytes, rowsMax - age - count);
    this.#removed.age += age;
    this.#removed.count += count;
    this.#removed.size += size;
    return age + count + size;
  }
}
