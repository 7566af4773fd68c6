import type { Clock } from '../model/clock.ts';
import { limits } from '../model/limits.ts';
import type { IdempotencyRecord, IdempotencyRecords } from '../model/store.ts';
import type { Connection, Statement } from './connection.ts';
import { parseTexts } from './json.ts';

interface IdempotencyRow {
  readonly caller: string;
  readonly key: string;
  readonly request_hash: Uint8Array;
  readonly status: number;
  readonly headers: string;
  readonly body: string;
  readonly created_at: string;
}

/**
 * Answers already given, in the table `idempotency`; one older than limits.idempotencyKeepMs is not found any
 * more.
 */
export class SqliteIdempotencyRecords implements IdempotencyRecords {
  readonly #clock: Clock;
  readonly #find: Statement<IdempotencyRow>;
  readonly #put: Statement;
  readonly #prune: Statement;

  constructor(connection: Connection, clock: Clock) {
    this.#clock = clock;
    this.#find = connection.prepare(
      'SELECT * FROM idempotency WHERE caller = ? AND key = ? AND created_at >= ?',
    );
    this.#put = connection.prepare(`
      INSERT OR REPLACE INTO idempotency (caller, key, request_hash, status, headers, body, created_at)
      VALUES (?, ?, ?, ?, ?, ?, ?)`);
    this.#prune = connection.prepare(`
      DELETE FROM idempotency WHERE rowid IN
        (SELECT rowid FROM idempotency WHERE created_at < ? ORDER BY created_at LIMIT ?)`);
  }

  find(caller: string, key: string): IdempotencyRecord | undefined {
    const row = this.#find.get(caller, key, keptSince(this.#clock));
    if (row === undefined) return undefined;
    return {
      caller: row.caller,
      key: row.key,
      requestHash: row.request_hash,
      status: row.status,
      headers: parseTexts(row.headers),
      body: row.body,
      createdAt: row.created_at,
    };
  }

  put(record: IdempotencyRecord): void {
    this.#put.run(
      record.caller,
      record.key,
      record.requestHash,
      record.status,
      JSON.stringify(record.headers),
      record.body,
      record.createdAt,
    );
  }

  prune(olderThan: string): void {
    while (this.pruneChunk(olderThan) > 0);
  }

  /** Removes at most limits.deleteChunkRows of what is older; answers how many went. */
  pruneChunk(olderThan: string): number {
    return this.#prune.run(olderThan, limits.deleteChunkRows);
  }
}

/** The time from which on answers count. */
export function keptSince(clock: Clock): string {
  return new Date(clock.now().getTime() - limits.idempotencyKeepMs).toISOString();
}
