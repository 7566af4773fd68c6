import { randomBytes } from 'node:crypto';
import { lstatSync, renameSync, rmSync } from 'node:fs';
import type Database from 'better-sqlite3';
import { limits } from '../model/limits.ts';
import { Connection } from './connection.ts';
import { Sqlite } from './driver.ts';
import { fileFailure, refusal, translateFailure } from './failure.ts';
import { inspectDatabase } from './inspect.ts';
import { applicationId, type Migration, migrations } from './migrations.ts';
import { createPrivateFile, syncPath } from './private-file.ts';
import type { StateFiles } from './state-dir.ts';

/**
 * Of a new database. A group of changes adds rows to the same pages, so that few are half empty when they are
 * logged; each page costs by itself, whatever its size.
 */
const pageBytes = 4096;

/** Pages that are kept in memory: at a commit SQLite may look at each of them (pcache1.c, xTruncate). */
const cachedBytesMax = 4 * 1024 * 1024;

/**
 * Opens the database of a state directory at the current schema; makes one where there is none.
 *
 * A new one is made whole under another name and then renamed, so that a `pinfold.db` that is empty or half
 * done is never one of ours but a damaged one, and is refused.
 *
 * @throws PinfoldError storage_failed, storage_full
 */
export function openDatabaseFile(files: StateFiles): Connection {
  if (exists(files.database)) inspectDatabase(files);
  else createDatabase(files);
  const connection = openForWriting(files.database);
  try {
    migrate(connection, migrations);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** Brings a database to the newest of the migrations, each in a transaction of its own. */
export function migrate(connection: Connection, steps: readonly Migration[]): void {
  const version =
    connection.prepare<{ user_version: number }>('PRAGMA user_version').get()?.user_version ?? 0;
  for (const step of steps.filter((candidate) => candidate.version > version)) {
    connection.transaction(() => {
      connection.execute(step.sql);
      connection.execute(`PRAGMA user_version = ${step.version}`);
    });
  }
}

/** A new identity for a database: what tells that a write-ahead log belongs to it. */
export function newIdentity(): string {
  return `pinfold-${randomBytes(16).toString('hex')}`;
}

function createDatabase(files: StateFiles): void {
  if ((lstatSync(files.wal, { throwIfNoEntry: false })?.size ?? 0) > 0) {
    throw refusal(
      `The write-ahead log ${files.wal} is there but its database ${files.database} is not: put the ` +
        'database back, or move the log away to begin a new one. Nothing was changed.',
    );
  }
  try {
    for (const suffix of ['', '-journal', '-wal', '-shm'])
      rmSync(`${files.unfinished}${suffix}`, { force: true });
    createPrivateFile(files.unfinished);
    fill(files.unfinished);
    syncPath(files.unfinished);
    renameSync(files.unfinished, files.database);
    syncPath(files.dir);
  } catch (error) {
    throw error instanceof Error && 'syscall' in error
      ? fileFailure(error, `The state database ${files.database} cannot be made`)
      : error;
  }
}

function fill(file: string): void {
  const connection = openForWriting(file);
  try {
    connection.execute(`PRAGMA application_id = ${applicationId}`);
    migrate(connection, migrations);
    connection.prepare('INSERT INTO store (one, identity, event_seq) VALUES (1, ?, 0)').run(newIdentity());
    // Closing would do it too, but keeps silent about a disk that is full.
    connection.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get();
  } finally {
    connection.close();
  }
}

/**
 * Opens a file for writing. bpffs ends with the kernel, so rows must outlive a killed process, not a power
 * cut: `synchronous = NORMAL` (docs/adr/0010-state-in-sqlite.md). The driver has turned
 * SQLITE_DBCONFIG_DEFENSIVE on already.
 */
function openForWriting(file: string): Connection {
  let database: Database.Database | undefined;
  try {
    database = new Sqlite(file, { fileMustExist: true, timeout: limits.stateBusyMs });
    database.pragma(`page_size = ${pageBytes}`);
    const mode = database.pragma('journal_mode = WAL', { simple: true });
    if (mode !== 'wal')
      throw refusal(`The state database ${file} cannot be kept in WAL mode; it is in ${mode} mode.`);
    database.pragma('synchronous = NORMAL');
    database.pragma('foreign_keys = ON');
    database.pragma('trusted_schema = OFF');
    database.pragma('cell_size_check = ON');
    database.pragma('temp_store = MEMORY');
    database.pragma(`cache_size = ${-cachedBytesMax / 1024}`);
    // A database that is there already keeps the pages it was made with.
    const bytes = Number(database.pragma('page_size', { simple: true }));
    database.pragma(`wal_autocheckpoint = ${limits.walCheckpointBytes / bytes}`);
    database.pragma(`journal_size_limit = ${limits.walKeepBytesMax}`);
    return new Connection(database);
  } catch (error) {
    database?.close();
    throw translateFailure(error, file);
  }
}

function exists(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false }) !== undefined;
}
