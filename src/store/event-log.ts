import assert from 'node:assert/strict';
import type { EventDocument, NewEvent } from '../model/schema/event.ts';
import type { EventLog, EventQuery, HashedEvent, HistoryExtent } from '../model/store.ts';
import type { Connection, Statement } from './connection.ts';
import { hexOf, linkTo } from './event-chain.ts';
import { filterOf } from './event-filter.ts';
import { documentOf, type EventRow, rowOf, stamped } from './event-row.ts';

/** Whose events these are; stamped on each. */
export interface EventOrigin {
  readonly node: string;
  readonly bootId: string;
}

interface Head {
  readonly event_seq: number;
  readonly event_hash: Uint8Array;
  readonly event_bytes: number;
  readonly event_floor: number;
  readonly event_floor_hash: Uint8Array;
}

/** A row with its place in the chain. */
interface ChainedRow extends EventRow {
  readonly hash: Uint8Array | null;
}

/** The oldest rows, up to one of them. */
interface Oldest {
  readonly seq: number | null;
  readonly rows: number;
  readonly bytes: number;
}

/**
 * History in the table `event`. The last number, its hash and the size of all rows are kept in `store`, in
 * the transaction that uses them: a rollback gives them back, and clean-up of the newest rows does not make
 * the numbers start again.
 */
export class SqliteEventLog implements EventLog {
  readonly #connection: Connection;
  readonly #origin: EventOrigin;
  readonly #head: Statement<Head>;
  readonly #lastSeq: Statement<{ readonly event_seq: number }>;
  readonly #advance: Statement;
  readonly #insert: Statement;
  readonly #oldest: Statement<Oldest>;
  readonly #sizes: Statement<{ readonly seq: number; readonly size: number }>;
  readonly #hashOf: Statement<{ readonly hash: Uint8Array | null }>;
  readonly #delete: Statement;
  readonly #raise: Statement;
  readonly #queries = new Map<string, Statement<ChainedRow>>();
  readonly #counts = new Map<string, Statement<{ readonly count: number }>>();

  constructor(connection: Connection, origin: EventOrigin) {
    this.#connection = connection;
    this.#origin = origin;
    this.#head = connection.prepare('SELECT * FROM store');
    this.#lastSeq = connection.prepare('SELECT event_seq FROM store');
    this.#advance = connection.prepare(
      'UPDATE store SET event_seq = ?, event_hash = ?, event_bytes = event_bytes + ?',
    );
    this.#insert = connection.prepare(`
      INSERT INTO event (seq, time, node, boot_id, type, mount, path, path_left, kind, object_id, object_type,
        object_name, actor, unit, operation_id, before, after, size, hash)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#oldest = connection.prepare(`
      SELECT max(seq) AS seq, count(*) AS rows, coalesce(sum(size), 0) AS bytes
      FROM (SELECT seq, size FROM event WHERE seq <= ? ORDER BY seq LIMIT ?)`);
    this.#sizes = connection.prepare('SELECT seq, size FROM event ORDER BY seq LIMIT ?');
    this.#hashOf = connection.prepare('SELECT hash FROM event WHERE seq = ?');
    this.#delete = connection.prepare('DELETE FROM event WHERE seq <= ?');
    this.#raise = connection.prepare(
      'UPDATE store SET event_floor = ?, event_floor_hash = ?, event_bytes = event_bytes - ?',
    );
  }

  append(events: readonly NewEvent[]): readonly EventDocument[] {
    if (events.length === 0) return [];
    const { node, bootId } = this.#origin;
    return this.#connection.transaction(() => {
      let { event_seq: seq, event_hash: hash } = this.#readHead();
      let bytes = 0;
      const appended = events.map((event) => {
        seq += 1;
        const stamp = { seq, node, boot_id: bootId };
        const row = rowOf(event, stamp);
        const link = linkTo(hash, row);
        this.#insertRow(row, link);
        hash = link.hash;
        bytes += link.size;
        return stamped(event, stamp);
      });
      this.#advance.run(seq, hash, bytes);
      return appended;
    });
  }

  list(query: EventQuery): readonly EventDocument[] {
    return this.#rows(query).map(documentOf);
  }

  listHashed(query: EventQuery): readonly HashedEvent[] {
    return this.#rows(query).map((row) => ({
      event: documentOf(row),
      hash: row.hash === null ? undefined : hexOf(row.hash),
    }));
  }

  #rows(query: EventQuery): readonly ChainedRow[] {
    const { where, values } = filterOf(query);
    // The inner query finds the numbers in an index alone; only the rows of this page are then read.
    // With a lower end in time the `+` makes SQLite begin in event_time instead of at the oldest event.
    const order = query.since === undefined ? 'seq' : '+seq';
    const page = `SELECT seq FROM event ${where} ORDER BY ${order} LIMIT ?`;
    const sql = `SELECT * FROM event WHERE seq IN (${page}) ORDER BY seq`;
    return this.#kept(this.#queries, sql).all(...values, query.limit);
  }

  count(query: Omit<EventQuery, 'limit'>): number {
    const { where, values } = filterOf(query);
    const sql = `SELECT count(*) AS count FROM event ${where}`;
    return this.#kept(this.#counts, sql).get(...values)?.count ?? 0;
  }

  lastSeq(): number {
    return this.#lastSeq.get()?.event_seq ?? 0;
  }

  hashAt(seq: number): string | undefined {
    const { event_floor: floor, event_floor_hash: floorHash } = this.#readHead();
    const own = this.#hashOf.get(seq)?.hash ?? undefined;
    const hash = own ?? (seq === floor ? floorHash : undefined);
    return hash?.some((byte) => byte !== 0) === true ? hexOf(hash) : undefined;
  }

  extent(): HistoryExtent {
    const head = this.#readHead();
    return {
      floor: head.event_floor,
      lastSeq: head.event_seq,
      bytes: head.event_bytes,
      hash: Buffer.from(head.event_hash).toString('hex'),
    };
  }

  prune(upToSeq: number, rowsMax: number): number {
    const oldest = this.#oldest.get(upToSeq, rowsMax);
    if (oldest === undefined || oldest.seq === null) return 0;
    this.#removeUpTo(oldest.seq, oldest.bytes);
    return oldest.rows;
  }

  pruneToBytes(bytesMax: number, rowsMax: number): number {
    const excess = this.#readHead().event_bytes - bytesMax;
    if (excess <= 0) return 0;
    let bytes = 0;
    let rows = 0;
    let last = 0;
    for (const { seq, size } of this.#sizes.all(rowsMax)) {
      if (bytes >= excess) break;
      bytes += size;
      rows += 1;
      last = seq;
    }
    if (rows > 0) this.#removeUpTo(last, bytes);
    return rows;
  }

  /** Rows go oldest first, and leave the hash of the last of them: what is left still verifies. */
  #removeUpTo(seq: number, bytes: number): void {
    this.#connection.transaction(() => {
      const { event_floor: floor, event_floor_hash: floorHash } = this.#readHead();
      const hash = this.#hashOf.get(seq)?.hash ?? floorHash;
      this.#delete.run(seq);
      this.#raise.run(Math.max(floor, seq), hash, bytes);
    });
  }

  #readHead(): Head {
    const head = this.#head.get();
    assert(head !== undefined, 'the row of the table "store" is there as long as the database is');
    return head;
  }

  #insertRow(row: EventRow, { size, hash }: { readonly size: number; readonly hash: Uint8Array }): void {
    this.#insert.run(
      row.seq,
      row.time,
      row.node,
      row.boot_id,
      row.type,
      row.mount,
      row.path,
      row.path_left,
      row.kind,
      row.object_id,
      row.object_type,
      row.object_name,
      row.actor,
      row.unit,
      row.operation_id,
      row.before,
      row.after,
      size,
      hash,
    );
  }

  #kept<Row>(statements: Map<string, Statement<Row>>, sql: string): Statement<Row> {
    const found = statements.get(sql);
    if (found !== undefined) return found;
    const made = this.#connection.prepare<Row>(sql);
    statements.set(sql, made);
    return made;
  }
}
