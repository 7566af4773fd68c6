import { createRequire } from 'node:module';
import type Database from 'better-sqlite3';

const require = createRequire(import.meta.url);

/**
 * The same library in the release this Node can run (docs/adr/0005): release 12 aborts the process on Node
 * 24.19
 * and later, whose collector ends a statement outside any context; release 13 needs Node 22.
 */
const packageName = Number.parseInt(process.versions.node, 10) >= 22 ? 'better-sqlite3-13' : 'better-sqlite3';

/** better-sqlite3. */
export const Sqlite: typeof Database = require(packageName);

/** The file it is loaded from, for a worker thread that has only a text to run. */
export const driverFile = require.resolve(packageName);
