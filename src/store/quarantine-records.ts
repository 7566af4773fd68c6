import type { PinnableKind } from '../model/kind.ts';
import { bytesOf } from '../model/path.ts';
import type { QuarantineQuery, QuarantineRecord, QuarantineRecords, QuarantineRow } from '../model/store.ts';
import type { Connection, Statement, Value } from './connection.ts';
import { parseJson } from './json.ts';

interface Row {
  readonly seq: number;
  readonly id: string;
  readonly slot: string;
  readonly boot_id: string;
  readonly instance: string;
  readonly mount: string;
  readonly path: Uint8Array;
  readonly kind: PinnableKind;
  readonly object_id: number;
  readonly pin: string;
  readonly rule: string | null;
  readonly why: string;
  readonly run: string | null;
  readonly min_age_ms: number;
  readonly quarantined_at: string;
  readonly due_boottime_ms: number | null;
}

type Filter = Omit<QuarantineQuery, 'limit'>;

/** Quarantined pins in the table `quarantine`. */
export class SqliteQuarantineRecords implements QuarantineRecords {
  readonly #connection: Connection;
  readonly #put: Statement;
  readonly #remove: Statement;
  readonly #find: Statement<Row>;
  readonly #findAt: Statement<Row>;
  readonly #ofObject: Statement<Row>;
  readonly #listDue: Statement<Row>;
  readonly #forget: Statement;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#put = connection.prepare(`
      INSERT INTO quarantine (id, slot, boot_id, instance, mount, path, kind, object_id, pin, rule, why, run,
        min_age_ms, quarantined_at, due_boottime_ms)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (id) DO UPDATE SET pin = excluded.pin, why = excluded.why,
        due_boottime_ms = excluded.due_boottime_ms`);
    this.#remove = connection.prepare('DELETE FROM quarantine WHERE id = ?');
    this.#find = connection.prepare('SELECT * FROM quarantine WHERE id = ?');
    this.#findAt = connection.prepare(
      'SELECT * FROM quarantine WHERE path = ? AND mount = ? ORDER BY seq DESC LIMIT 1',
    );
    this.#ofObject = connection.prepare('SELECT * FROM quarantine WHERE object_id = ? AND kind = ?');
    this.#listDue = connection.prepare(`
      SELECT * FROM quarantine WHERE due_boottime_ms <= ? AND boot_id = ?
      ORDER BY due_boottime_ms, seq LIMIT ?`);
    this.#forget = connection.prepare('DELETE FROM quarantine WHERE boot_id <> ?');
  }

  put(record: QuarantineRecord): void {
    const { id, slot, bootId, instance, mount, path, kind, objectId, pin } = record;
    const { rule, why, run, minAgeMs, quarantinedAt, dueBoottimeMs } = record;
    const of = [id, slot, bootId, instance, mount, bytesOf(path), kind, objectId, JSON.stringify(pin)];
    this.#put.run(...of, rule, why, run, minAgeMs, quarantinedAt, dueBoottimeMs);
  }

  remove(id: string): boolean {
    return this.#remove.run(id) > 0;
  }

  find(id: string): QuarantineRecord | undefined {
    return recordOf(this.#find.get(id));
  }

  findAt(mount: string, path: string): QuarantineRecord | undefined {
    return recordOf(this.#findAt.get(bytesOf(path), mount));
  }

  ofObject(kind: PinnableKind, objectId: number): readonly QuarantineRecord[] {
    return this.#ofObject.all(objectId, kind).flatMap((row) => recordOf(row) ?? []);
  }

  list(query: QuarantineQuery): readonly QuarantineRow[] {
    const { where, values } = filterOf(query);
    const sql = `SELECT * FROM quarantine ${where} ORDER BY seq LIMIT ?`;
    const rows = this.#connection.prepare<Row>(sql).all(...values, query.limit);
    return rows.flatMap((row) => {
      const record = recordOf(row);
      return record === undefined ? [] : [{ seq: row.seq, record }];
    });
  }

  count(query: Omit<Filter, 'afterSeq'>): number {
    const { where, values } = filterOf(query);
    const sql = `SELECT count(*) AS count FROM quarantine ${where}`;
    return this.#connection.prepare<{ readonly count: number }>(sql).get(...values)?.count ?? 0;
  }

  listDue(bootId: string, boottimeMs: number, limit: number): readonly QuarantineRecord[] {
    const rows = this.#listDue.all(Math.floor(boottimeMs), bootId, limit);
    return rows.flatMap((row) => recordOf(row) ?? []);
  }

  forgetOtherBoots(bootId: string): number {
    return this.#forget.run(bootId);
  }
}

function filterOf(query: Filter): { readonly where: string; readonly values: readonly Value[] } {
  const conditions: string[] = [];
  const values: Value[] = [];
  const add = (condition: string, ...given: readonly Value[]): void => {
    conditions.push(condition);
    values.push(...given);
  };
  if (query.run !== undefined) add('run = ?', query.run);
  if (query.mount !== undefined) add('mount = ?', query.mount);
  if (query.afterSeq !== undefined) add('seq > ?', query.afterSeq);
  const { path } = query;
  // Below a directory is what lies between its name with a slash and the next byte after the slash.
  if (path !== undefined && query.within === true)
    add('(path = ? OR (path > ? AND path < ?))', bytesOf(path), bytesOf(`${path}/`), bytesOf(`${path}0`));
  else if (path !== undefined) add('path = ?', bytesOf(path));
  return { where: conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`, values };
}

function recordOf(row: Row | undefined): QuarantineRecord | undefined {
  if (row === undefined) return undefined;
  return {
    id: row.id,
    slot: row.slot,
    bootId: row.boot_id,
    instance: row.instance,
    mount: row.mount,
    path: Buffer.from(row.path).toString('latin1'),
    kind: row.kind,
    objectId: row.object_id,
    pin: parseJson(row.pin),
    rule: row.rule,
    why: row.why,
    run: row.run,
    minAgeMs: row.min_age_ms,
    quarantinedAt: row.quarantined_at,
    dueBoottimeMs: row.due_boottime_ms,
  };
}
