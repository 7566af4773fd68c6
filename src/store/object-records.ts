import type { ObjectKind } from '../model/kind.ts';
import type { ObjectIdentity, ObjectRecord, ObjectRecords } from '../model/store.ts';
import type { Connection, Statement } from './connection.ts';
import { parseObjectInfo } from './json.ts';

/** A row of the table `object`. */
export interface ObjectRow {
  readonly boot_id: string;
  readonly kind: ObjectKind;
  readonly id: number;
  readonly fingerprint: string;
  readonly info: string;
  readonly first_seen: string;
  readonly last_seen: string;
  readonly gone_at: string | null;
}

/**
 * Objects in the table `object`: one row for each fingerprint an id had, at most one of them present in a
 * boot.
 */
export class SqliteObjectRecords implements ObjectRecords {
  readonly #connection: Connection;
  readonly #endOthers: Statement;
  readonly #put: Statement;
  readonly #markGone: Statement;
  readonly #markOtherBootsGone: Statement;
  readonly #listPresent: Statement<ObjectRow>;
  readonly #history: Statement<ObjectRow>;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#endOthers = connection.prepare(`
      UPDATE object SET gone_at = ?
      WHERE id = ? AND kind = ? AND boot_id = ? AND gone_at IS NULL AND fingerprint <> ?`);
    this.#put = connection.prepare(`
      INSERT INTO object (boot_id, kind, id, fingerprint, info, first_seen, last_seen)
      VALUES (?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (id, kind, boot_id, fingerprint)
      DO UPDATE SET info = excluded.info, last_seen = excluded.last_seen, gone_at = NULL`);
    this.#markGone = connection.prepare(`
      UPDATE object SET gone_at = ?
      WHERE id = ? AND kind = ? AND boot_id = ? AND fingerprint = ? AND gone_at IS NULL`);
    this.#markOtherBootsGone = connection.prepare(
      'UPDATE object INDEXED BY object_present SET gone_at = ? WHERE gone_at IS NULL AND boot_id <> ?',
    );
    this.#listPresent = connection.prepare(`
      SELECT * FROM object INDEXED BY object_present
      WHERE gone_at IS NULL AND boot_id = ? ORDER BY id, kind`);
    this.#history = connection.prepare(`
      SELECT * FROM object WHERE id = ? AND kind = ? ORDER BY gone_at IS NULL DESC, seq DESC LIMIT ?`);
  }

  put(records: readonly ObjectRecord[]): void {
    this.#connection.transaction(() => {
      for (const { bootId, kind, id, fingerprint, info, firstSeen, lastSeen } of records) {
        this.#endOthers.run(lastSeen, id, kind, bootId, fingerprint);
        this.#put.run(bootId, kind, id, fingerprint, JSON.stringify(info), firstSeen, lastSeen);
      }
    });
  }

  markGone(objects: readonly ObjectIdentity[], at: string): void {
    this.#connection.transaction(() => {
      for (const { bootId, kind, id, fingerprint } of objects) {
        this.#markGone.run(at, id, kind, bootId, fingerprint);
      }
    });
  }

  listPresent(bootId: string): readonly ObjectRecord[] {
    return this.#listPresent.all(bootId).map(recordOfObject);
  }

  history(kind: ObjectKind, id: number, limit: number): readonly ObjectRecord[] {
    return this.#history.all(id, kind, limit).map(recordOfObject);
  }

  markOtherBootsGone(bootId: string, at: string): number {
    return this.#markOtherBootsGone.run(at, bootId);
  }
}

/** The record of a row. @throws PinfoldError storage_failed where it is not what was written */
export function recordOfObject(row: ObjectRow): ObjectRecord {
  return {
    bootId: row.boot_id,
    kind: row.kind,
    id: row.id,
    fingerprint: row.fingerprint,
    info: parseObjectInfo(row.info, row.kind),
    firstSeen: row.first_seen,
    lastSeen: row.last_seen,
    goneAt: row.gone_at,
  };
}
