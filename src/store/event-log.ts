import { limits } from '../model/limits.ts';
import { pathMembers } from '../model/path.ts';
import type { EventDocument, EventSubject, EventType, NewEvent } from '../model/schema/event.ts';
import type { EventLog, EventQuery } from '../model/store.ts';
import type { Connection, Statement } from './connection.ts';
import { filterOf, storedTime } from './event-filter.ts';
import { parseSide } from './json.ts';

/** Whose events these are; stamped on each. */
export interface EventOrigin {
  readonly node: string;
  readonly bootId: string;
}

interface EventRow {
  readonly seq: number;
  readonly time: string;
  readonly node: string;
  readonly boot_id: string;
  readonly type: EventType;
  readonly mount: string | null;
  readonly path: Uint8Array | null;
  readonly kind: string | null;
  readonly object_id: number | null;
  readonly object_type: string | null;
  readonly object_name: string | null;
  readonly actor: string;
  readonly operation_id: string | null;
  readonly before: string | null;
  readonly after: string | null;
}

/**
 * History in the table `event`. The last number is kept in `store.event_seq`, in the transaction that uses
 * it: a rollback gives it back, and clean-up of the newest rows does not make it start again.
 */
export class SqliteEventLog implements EventLog {
  readonly #connection: Connection;
  readonly #origin: EventOrigin;
  readonly #number: Statement<{ readonly event_seq: number }>;
  readonly #lastSeq: Statement<{ readonly event_seq: number }>;
  readonly #insert: Statement;
  readonly #prune: Statement;
  readonly #pruneSurplus: Statement;
  readonly #queries = new Map<string, Statement<EventRow>>();
  readonly #counts = new Map<string, Statement<{ readonly count: number }>>();

  constructor(connection: Connection, origin: EventOrigin) {
    this.#connection = connection;
    this.#origin = origin;
    this.#number = connection.prepare('UPDATE store SET event_seq = event_seq + ? RETURNING event_seq');
    this.#lastSeq = connection.prepare('SELECT event_seq FROM store');
    this.#insert = connection.prepare(`
      INSERT INTO event (seq, time, node, boot_id, type, mount, path, kind, object_id, object_type,
        object_name, actor, operation_id, before, after)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#prune = connection.prepare(
      'DELETE FROM event WHERE seq IN (SELECT seq FROM event WHERE time < ? ORDER BY time LIMIT ?)',
    );
    this.#pruneSurplus = connection.prepare(
      'DELETE FROM event WHERE seq IN (SELECT seq FROM event WHERE seq <= ? ORDER BY seq LIMIT ?)',
    );
  }

  append(events: readonly NewEvent[]): readonly EventDocument[] {
    if (events.length === 0) return [];
    return this.#connection.transaction(() => {
      const last = this.#number.get(events.length)?.event_seq ?? 0;
      const first = last - events.length + 1;
      return events.map((event, index) => this.#appendOne(event, first + index));
    });
  }

  list(query: EventQuery): readonly EventDocument[] {
    const { where, values } = filterOf(query);
    // The inner query finds the numbers in an index alone; only the rows of this page are then read.
    // With a lower end in time the `+` makes SQLite begin in event_time instead of at the oldest event.
    const order = query.since === undefined ? 'seq' : '+seq';
    const page = `SELECT seq FROM event ${where} ORDER BY ${order} LIMIT ?`;
    const sql = `SELECT * FROM event WHERE seq IN (${page}) ORDER BY seq`;
    return this.#kept(this.#queries, sql)
      .all(...values, query.limit)
      .map(documentOf);
  }

  count(query: Omit<EventQuery, 'limit' | 'afterSeq'>): number {
    const { where, values } = filterOf(query);
    const sql = `SELECT count(*) AS count FROM event ${where}`;
    return this.#kept(this.#counts, sql).get(...values)?.count ?? 0;
  }

  lastSeq(): number {
    return this.#lastSeq.get()?.event_seq ?? 0;
  }

  prune(olderThan: string, rowsMax: number): number {
    const old = this.#prune.run(storedTime(olderThan), rowsMax);
    return old + this.#pruneSurplus.run(this.lastSeq() - limits.eventsMax, rowsMax - old);
  }

  #appendOne(event: NewEvent, seq: number): EventDocument {
    const { node, bootId } = this.#origin;
    const { subject } = event;
    this.#insert.run(
      seq,
      event.time,
      node,
      bootId,
      event.type,
      subject.mount ?? null,
      pathOf(subject),
      subject.kind ?? null,
      subject.id ?? null,
      subject.type ?? null,
      subject.name ?? null,
      event.actor,
      event.operation_id ?? null,
      textOf(event.before),
      textOf(event.after),
    );
    return { seq, node, boot_id: bootId, ...event };
  }

  #kept<Row>(statements: Map<string, Statement<Row>>, sql: string): Statement<Row> {
    const found = statements.get(sql);
    if (found !== undefined) return found;
    const made = this.#connection.prepare<Row>(sql);
    statements.set(sql, made);
    return made;
  }
}

function documentOf(row: EventRow): EventDocument {
  const document: EventDocument = {
    seq: row.seq,
    time: row.time,
    node: row.node,
    boot_id: row.boot_id,
    type: row.type,
    subject: subjectOf(row),
    before: parseSide(row.before),
    after: parseSide(row.after),
    actor: row.actor,
  };
  if (row.operation_id !== null) document.operation_id = row.operation_id;
  return document;
}

function subjectOf(row: EventRow): EventSubject {
  const subject: EventSubject = {};
  if (row.mount !== null) subject.mount = row.mount;
  if (row.path !== null) Object.assign(subject, pathMembers(Buffer.from(row.path).toString('latin1')));
  if (row.kind !== null) subject.kind = row.kind;
  if (row.object_id !== null) subject.id = row.object_id;
  if (row.object_type !== null) subject.type = row.object_type;
  if (row.object_name !== null) subject.name = row.object_name;
  return subject;
}

function pathOf({ path, path_bytes }: EventSubject): Uint8Array | null {
  if (path_bytes !== undefined) return Buffer.from(path_bytes, 'base64');
  return path === undefined ? null : Buffer.from(path, 'utf8');
}

function textOf(side: NewEvent['before']): string | null {
  return side === null ? null : JSON.stringify(side);
}
