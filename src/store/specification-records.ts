import { createHash } from 'node:crypto';
import type { ObjectKind } from '../model/kind.ts';
import { limits } from '../model/limits.ts';
import type { SpecifiedKind } from '../model/schema/specification.ts';
import type {
  ObjectIdentity,
  SpecificationLine,
  SpecificationQuery,
  SpecificationRecord,
  SpecificationRecords,
  SpecifiedObject,
} from '../model/store.ts';
import type { Connection, Statement, Value } from './connection.ts';
import { parseJson } from './json.ts';
import { type ObjectRow, recordOfObject } from './object-records.ts';

interface SpecifiedRow extends ObjectRow {
  readonly seq: number;
  readonly recorded_at: string | null;
  readonly document: string | null;
}

interface PartRow {
  readonly part: string;
  readonly bytes: Buffer;
}

interface PinRow {
  readonly mount: string;
  readonly path: Buffer;
}

/** Pins that one line of a list tells at most. */
const pinsMax = 16;

/** Objects that ever were, and what they were made with. */
const joined = `object o LEFT JOIN specification s ON s.object = o.seq`;

/** Specifications in the tables `specification`, `specification_part` and `specification_bytes`. */
export class SqliteSpecificationRecords implements SpecificationRecords {
  readonly #connection: Connection;
  readonly #seqOf: Statement<{ readonly seq: number }>;
  readonly #put: Statement;
  readonly #dropParts: Statement;
  readonly #findBytes: Statement<{ readonly id: number }>;
  readonly #putBytes: Statement;
  readonly #putPart: Statement;
  readonly #total: Statement<{ readonly total: number }>;
  readonly #find: Statement<SpecifiedRow>;
  readonly #parts: Statement<PartRow>;
  readonly #missing: Statement<ObjectRow>;
  readonly #pins: Statement<PinRow>;
  readonly #prune: Statement;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#seqOf = connection.prepare(
      'SELECT seq FROM object WHERE id = ? AND kind = ? AND boot_id = ? AND fingerprint = ?',
    );
    this.#put = connection.prepare(`
      INSERT INTO specification (object, recorded_at, document) VALUES (?, ?, ?)
      ON CONFLICT (object) DO UPDATE SET recorded_at = excluded.recorded_at, document = excluded.document`);
    this.#dropParts = connection.prepare('DELETE FROM specification_part WHERE object = ?');
    this.#findBytes = connection.prepare('SELECT id FROM specification_bytes WHERE sha256 = ?');
    this.#putBytes = connection.prepare('INSERT INTO specification_bytes (sha256, bytes) VALUES (?, ?)');
    this.#putPart = connection.prepare(
      'INSERT INTO specification_part (object, part, bytes) VALUES (?, ?, ?)',
    );
    this.#total = connection.prepare('SELECT total(length(bytes)) AS total FROM specification_bytes');
    this.#find = connection.prepare(`
      SELECT o.*, s.recorded_at, s.document FROM ${joined}
      WHERE o.id = ? AND o.kind = ? AND (? IS NULL OR o.fingerprint = ?)
      ORDER BY o.gone_at IS NULL DESC, o.gone_at DESC, o.seq DESC LIMIT 1`);
    this.#parts = connection.prepare(`
      SELECT p.part, b.bytes FROM specification_part p JOIN specification_bytes b ON b.id = p.bytes
      WHERE p.object = ?`);
    this.#missing = connection.prepare(`
      SELECT o.* FROM ${joined}
      WHERE o.gone_at IS NULL AND o.boot_id = ? AND o.kind IN ('map', 'program') AND s.object IS NULL`);
    this.#pins = connection.prepare(`
      SELECT DISTINCT mount, path FROM pin
      WHERE object_id = ? AND kind = ? AND fingerprint = ? ORDER BY last_seen DESC LIMIT ${pinsMax}`);
    this.#prune = connection.prepare(`
      DELETE FROM specification_bytes WHERE id IN
        (SELECT id FROM specification_bytes b WHERE NOT EXISTS
          (SELECT 1 FROM specification_part p WHERE p.bytes = b.id) LIMIT ?)`);
  }

  put(records: readonly SpecificationRecord[]): number {
    return this.#connection.transaction(() => {
      let room = limits.specificationBytesMax - (this.#total.get()?.total ?? 0);
      let leftOut = 0;
      for (const record of records) {
        const { id, kind, bootId, fingerprint, recordedAt, document, parts } = record;
        const seq = this.#seqOf.get(id, kind, bootId, fingerprint)?.seq;
        if (seq === undefined) continue;
        this.#put.run(seq, recordedAt, JSON.stringify(document));
        this.#dropParts.run(seq);
        for (const [part, bytes] of Object.entries(parts)) {
          const stored = this.#storeBytes(bytes, room);
          if (stored === undefined) leftOut++;
          else this.#putPart.run(seq, part, stored.id);
          room -= stored?.added ?? 0;
        }
      }
      return leftOut;
    });
  }

  find(kind: SpecifiedKind, id: number, fingerprint?: string): SpecifiedObject | undefined {
    const row = this.#find.get(id, kind, fingerprint ?? null, fingerprint ?? null);
    if (row === undefined) return undefined;
    const object = recordOfObject(row);
    if (row.document === null || row.recorded_at === null) return { object, specification: undefined };
    const parts = Object.fromEntries(this.#parts.all(row.seq).map(({ part, bytes }) => [part, bytes]));
    const document = parseJson(row.document);
    return { object, specification: { recordedAt: row.recorded_at, document, parts } };
  }

  listMissing(bootId: string): readonly ObjectIdentity[] {
    return this.#missing.all(bootId).map(recordOfObject);
  }

  list(query: SpecificationQuery): readonly SpecificationLine[] {
    const { where, values } = filterOf(query);
    const sql = `SELECT o.*, s.recorded_at FROM object o JOIN specification s ON s.object = o.seq
      WHERE ${[...where, 'o.seq < ?'].join(' AND ')} ORDER BY o.seq DESC LIMIT ?`;
    const rows = this.#connection
      .prepare<SpecifiedRow>(sql)
      .all(...values, query.before ?? Number.MAX_SAFE_INTEGER, query.limit);
    return rows.map((row) => ({
      seq: row.seq,
      object: recordOfObject(row),
      recordedAt: row.recorded_at ?? row.last_seen,
      pins: this.#pins
        .all(row.id, row.kind, row.fingerprint)
        .map(({ mount, path }) => ({ mount, path: path.toString('latin1') })),
    }));
  }

  count(query: Omit<SpecificationQuery, 'limit' | 'before'>): number {
    const { where, values } = filterOf(query);
    const sql = `SELECT count(*) AS count FROM object o JOIN specification s ON s.object = o.seq
      WHERE ${where.join(' AND ')}`;
    return this.#connection.prepare<{ readonly count: number }>(sql).get(...values)?.count ?? 0;
  }

  /** Removes bytes that no specification has any more; answers how many rows went. */
  pruneChunk(rowsMax: number): number {
    return this.#prune.run(rowsMax);
  }

  /** Undefined where there is no room for bytes that are new. */
  #storeBytes(bytes: Uint8Array, room: number): { readonly id: number; readonly added: number } | undefined {
    const sha256 = createHash('sha256').update(bytes).digest();
    const known = this.#findBytes.get(sha256);
    if (known !== undefined) return { id: known.id, added: 0 };
    if (bytes.length > room) return undefined;
    this.#putBytes.run(sha256, bytes);
    const id = this.#findBytes.get(sha256)?.id;
    return id === undefined ? undefined : { id, added: bytes.length };
  }
}

function filterOf({ kind, id, name, path, state }: Omit<SpecificationQuery, 'limit'>): {
  readonly where: readonly string[];
  readonly values: readonly Value[];
} {
  const kinds: readonly ObjectKind[] = ['map', 'program'];
  const where = [`o.kind IN (${kinds.map((each) => `'${each}'`).join(', ')})`];
  const values: Value[] = [];
  const add = (condition: string, value: Value): void => {
    where.push(condition);
    values.push(value);
  };
  if (kind !== undefined) add('o.kind = ?', kind);
  if (id !== undefined) add('o.id = ?', id);
  if (name !== undefined) add(`o.info ->> '$.name' = ?`, name);
  if (path !== undefined) {
    add(
      `EXISTS (SELECT 1 FROM pin p WHERE p.path = ? AND p.object_id = o.id AND p.kind = o.kind
        AND p.fingerprint = o.fingerprint)`,
      Buffer.from(path, 'latin1'),
    );
  }
  if (state !== undefined) where.push(`o.gone_at IS ${state === 'gone' ? 'NOT NULL' : 'NULL'}`);
  return { where, values };
}
