import type { PinnableKind } from '../model/kind.ts';
import type { UnheldRecord, UnheldRecords } from '../model/unheld.ts';
import type { Connection, Statement } from './connection.ts';

interface Row {
  readonly kind: PinnableKind;
  readonly id: number;
  readonly fingerprint: string;
  readonly since: string;
  readonly since_boottime_ms: number;
}

/** Objects that nothing but their own pins holds, in the table `unheld`. */
export class SqliteUnheldRecords implements UnheldRecords {
  readonly #connection: Connection;
  readonly #forget: Statement;
  readonly #list: Statement<Row>;
  readonly #put: Statement;
  readonly #remove: Statement;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#forget = connection.prepare('DELETE FROM unheld WHERE boot_id <> ?');
    this.#list = connection.prepare('SELECT * FROM unheld WHERE boot_id = ?');
    this.#put = connection.prepare(`
      INSERT OR REPLACE INTO unheld (boot_id, kind, id, fingerprint, since, since_boottime_ms)
      VALUES (?, ?, ?, ?, ?, ?)`);
    this.#remove = connection.prepare('DELETE FROM unheld WHERE boot_id = ? AND kind = ? AND id = ?');
  }

  recall(bootId: string): readonly UnheldRecord[] {
    this.#forget.run(bootId);
    return this.#list.all(bootId).map(({ kind, id, fingerprint, since, since_boottime_ms: sinceBootMs }) => ({
      kind,
      id,
      fingerprint,
      since,
      sinceBootMs,
    }));
  }

  update(bootId: string, { put, remove }: Parameters<UnheldRecords['update']>[1]): void {
    this.#connection.transaction(() => {
      for (const { kind, id } of remove) this.#remove.run(bootId, kind, id);
      for (const { kind, id, fingerprint, since, sinceBootMs } of put)
        this.#put.run(bootId, kind, id, fingerprint, since, Math.floor(sinceBootMs));
    });
  }
}
