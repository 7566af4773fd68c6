import { PinfoldError } from '../model/error.ts';
import { limits } from '../model/limits.ts';
import type { Role } from '../model/role.ts';
import type { TokenRecord, TokenRecords } from '../model/store.ts';
import type { Connection, Statement } from './connection.ts';

interface TokenRow {
  readonly name: string;
  readonly role: Role;
  readonly sha256: Uint8Array;
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly last_used_at: string | null;
  readonly created_by: string;
}

/** Tokens in the table `token`; what is kept of the secret is its SHA-256, 32 bytes. */
export class SqliteTokenRecords implements TokenRecords {
  readonly #connection: Connection;
  readonly #count: Statement<{ readonly count: number }>;
  readonly #add: Statement;
  readonly #list: Statement<TokenRow>;
  readonly #find: Statement<TokenRow>;
  readonly #remove: Statement;
  readonly #touch: Statement;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#count = connection.prepare('SELECT count(*) AS count FROM token');
    this.#add = connection.prepare(`
      INSERT INTO token (name, role, sha256, created_at, expires_at, last_used_at, created_by)
      VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`);
    this.#list = connection.prepare('SELECT * FROM token ORDER BY name');
    this.#find = connection.prepare('SELECT * FROM token WHERE sha256 = ?');
    this.#remove = connection.prepare('DELETE FROM token WHERE name = ?');
    this.#touch = connection.prepare('UPDATE token SET last_used_at = ? WHERE name = ?');
  }

  add(record: TokenRecord): void {
    const { name, role, sha256, createdAt, expiresAt, lastUsedAt, createdBy } = record;
    this.#connection.transaction(() => {
      const added = this.#add.run(name, role, sha256, createdAt, expiresAt, lastUsedAt, createdBy);
      if (added === 0) {
        throw new PinfoldError('already_exists', {
          detail: `There is a token ${name} already, or one of this secret.`,
        });
      }
      if ((this.#count.get()?.count ?? 0) > limits.tokensMax) {
        const detail = `There are ${limits.tokensMax} tokens already; remove one first.`;
        throw new PinfoldError('too_many_requests', { detail });
      }
    });
  }

  list(): readonly TokenRecord[] {
    return this.#list.all().map(recordOf);
  }

  findBySha256(sha256: Uint8Array): TokenRecord | undefined {
    const row = this.#find.get(sha256);
    return row === undefined ? undefined : recordOf(row);
  }

  remove(name: string): void {
    if (this.#remove.run(name) === 0) {
      throw new PinfoldError('token_not_found', { detail: `There is no token ${name}.` });
    }
  }

  touch(name: string, at: string): void {
    this.#touch.run(at, name);
  }
}

function recordOf(row: TokenRow): TokenRecord {
  return {
    name: row.name,
    role: row.role,
    sha256: row.sha256,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
    createdBy: row.created_by,
  };
}
