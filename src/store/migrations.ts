import { initialSchema } from './migration-0001.ts';
import { specificationSchema } from './migration-0002.ts';

/** One step of the schema; `PRAGMA user_version` is the number of the last one done. */
export interface Migration {
  readonly version: number;
  readonly sql: string;
}

/**
 * Every schema ever released, oldest first. They are only added to: a database on some node stands at each of
 * them.
 */
export const migrations: readonly Migration[] = [
  { version: 1, sql: initialSchema },
  { version: 2, sql: specificationSchema },
];

/** The version this program reads and writes. */
export const currentVersion: number = Math.max(...migrations.map(({ version }) => version));

/** "PINF": says in the file's header whose it is (`file` and `sqlite3` show it). */
export const applicationId = 0x50494e46;
