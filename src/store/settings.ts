import type { Settings } from '../model/store.ts';
import type { Connection, Statement } from './connection.ts';

/** Named facts in the table `setting`. */
export class SqliteSettings implements Settings {
  readonly #get: Statement<{ readonly value: string }>;
  readonly #set: Statement;

  constructor(connection: Connection) {
    this.#get = connection.prepare('SELECT value FROM setting WHERE name = ?');
    this.#set = connection.prepare('INSERT OR REPLACE INTO setting (name, value) VALUES (?, ?)');
  }

  get(name: string): string | undefined {
    return this.#get.get(name)?.value;
  }

  set(name: string, value: string): void {
    this.#set.run(name, value);
  }
}
