import type { PinnableKind } from '../model/kind.ts';
import { bytesOf } from '../model/path.ts';
import type { PinIdentity, PinRecord, PinRecords } from '../model/store.ts';
import type { Connection, Statement } from './connection.ts';
import { parseTexts } from './json.ts';

interface PinRow {
  readonly instance: string;
  readonly inode: number;
  readonly mtime_ns: string;
  readonly path: Uint8Array;
  readonly mount: string;
  readonly kind: PinnableKind;
  readonly object_id: number | null;
  readonly fingerprint: string | null;
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly first_seen: string;
  readonly last_seen: string;
  readonly gone_at: string | null;
  readonly labels: string;
  readonly owner: string | null;
  readonly managed: number;
}

/** Pins in the table `pin`: one row for each identity and path, at most one of them present at a path. */
export class SqlitePinRecords implements PinRecords {
  readonly #connection: Connection;
  readonly #endOthers: Statement;
  readonly #put: Statement;
  readonly #markGone: Statement;
  readonly #listAll: Statement<PinRow>;
  readonly #listOne: Statement<PinRow>;
  readonly #findPresent: Statement<PinRow>;
  readonly #listNames: Statement<PinRow>;
  readonly #history: Statement<PinRow>;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#endOthers = connection.prepare(`
      UPDATE pin SET gone_at = ?
      WHERE path = ? AND instance = ? AND gone_at IS NULL AND (inode <> ? OR mtime_ns <> ?)`);
    this.#put = connection.prepare(`
      INSERT INTO pin (instance, inode, mtime_ns, path, mount, kind, object_id, fingerprint, mode, uid, gid,
        first_seen, last_seen, labels, owner, managed)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (path, instance, inode, mtime_ns) DO UPDATE SET
        mount = excluded.mount, kind = excluded.kind, object_id = excluded.object_id,
        fingerprint = excluded.fingerprint, mode = excluded.mode, uid = excluded.uid, gid = excluded.gid,
        last_seen = excluded.last_seen, gone_at = NULL, labels = excluded.labels, owner = excluded.owner,
        managed = excluded.managed`);
    this.#markGone = connection.prepare(
      'UPDATE pin SET gone_at = ? WHERE path = ? AND instance = ? AND gone_at IS NULL',
    );
    const present = 'SELECT * FROM pin INDEXED BY pin_present WHERE gone_at IS NULL';
    this.#listAll = connection.prepare(`${present} ORDER BY path, instance`);
    this.#listOne = connection.prepare(`${present} AND instance = ? ORDER BY path`);
    this.#findPresent = connection.prepare(`${present} AND path = ? AND instance = ?`);
    this.#listNames = connection.prepare(
      `${present} AND instance = ? AND inode = ? AND mtime_ns = ? ORDER BY path`,
    );
    this.#history = connection.prepare(
      'SELECT * FROM pin WHERE path = ? AND mount = ? ORDER BY gone_at IS NULL DESC, id DESC LIMIT ?',
    );
  }

  put(records: readonly PinRecord[]): void {
    if (records.length === 0) return;
    this.#connection.transaction(() => {
      for (const record of records) this.#putOne(record);
    });
  }

  markGone(pins: readonly { readonly instance: string; readonly path: string }[], at: string): void {
    if (pins.length === 0) return;
    this.#connection.transaction(() => {
      for (const pin of pins) this.#markGone.run(at, bytesOf(pin.path), pin.instance);
    });
  }

  listPresent(instance?: string): readonly PinRecord[] {
    const rows = instance === undefined ? this.#listAll.all() : this.#listOne.all(instance);
    return rows.map(recordOf);
  }

  findPresent(instance: string, path: string): PinRecord | undefined {
    const [row] = this.#findPresent.all(bytesOf(path), instance);
    return row === undefined ? undefined : recordOf(row);
  }

  listNames({ instance, inode, mtimeNs }: PinIdentity): readonly PinRecord[] {
    return this.#listNames.all(instance, inode, mtimeNs).map(recordOf);
  }

  history(mount: string, path: string, limit: number): readonly PinRecord[] {
    return this.#history.all(bytesOf(path), mount, limit).map(recordOf);
  }

  #putOne(record: PinRecord): void {
    const path = bytesOf(record.path);
    this.#endOthers.run(record.lastSeen, path, record.instance, record.inode, record.mtimeNs);
    this.#put.run(
      record.instance,
      record.inode,
      record.mtimeNs,
      path,
      record.mount,
      record.kind,
      record.objectId,
      record.fingerprint,
      record.mode,
      record.uid,
      record.gid,
      record.firstSeen,
      record.lastSeen,
      JSON.stringify(record.labels),
      record.owner,
      record.managed ? 1 : 0,
    );
  }
}

function recordOf(row: PinRow): PinRecord {
  return {
    instance: row.instance,
    inode: row.inode,
    mtimeNs: row.mtime_ns,
    path: Buffer.from(row.path).toString('latin1'),
    mount: row.mount,
    kind: row.kind,
    objectId: row.object_id,
    fingerprint: row.fingerprint,
    mode: row.mode,
    uid: row.uid,
    gid: row.gid,
    firstSeen: row.first_seen,
    lastSeen: row.last_seen,
    goneAt: row.gone_at,
    labels: parseTexts(row.labels),
    owner: row.owner,
    managed: row.managed === 1,
  };
}
