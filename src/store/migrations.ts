import { initialSchema } from './migration-0001.ts';
import { specificationSchema } from './migration-0002.ts';
import { claimSchema } from './migration-0003.ts';
import { quarantineSchema } from './migration-0004.ts';
import { historySchema } from './migration-0005.ts';
import { webhookSchema } from './migration-0006.ts';
import { clusterSchema } from './migration-0007.ts';
import { pinSetSchema } from './migration-0008.ts';
import { unheldSchema } from './migration-0009.ts';
import { plainChecksSchema } from './migration-0010.ts';

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
  { version: 3, sql: claimSchema },
  { version: 4, sql: quarantineSchema },
  { version: 5, sql: historySchema },
  { version: 6, sql: webhookSchema },
  { version: 7, sql: clusterSchema },
  { version: 8, sql: pinSetSchema },
  { version: 9, sql: unheldSchema },
  { version: 10, sql: plainChecksSchema },
];

/** The version this program reads and writes. */
export const currentVersion: number = Math.max(...migrations.map(({ version }) => version));

/** "PINF": says in the file's header whose it is (`file` and `sqlite3` show it). */
export const applicationId = 0x50494e46;
