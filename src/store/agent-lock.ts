import type Database from 'better-sqlite3';
import { Sqlite } from './driver.ts';
import { errnoOf, fileFailure, refusal, translateFailure } from './failure.ts';
import { createPrivateFile } from './private-file.ts';
import type { StateFiles } from './state-dir.ts';

/**
 * Makes this process the only agent in a state directory, until the lock is disposed or the process ends in
 * any way.
 *
 * The lock is an exclusive transaction on an empty SQLite file beside the database: a POSIX record lock that
 * the kernel drops with the process, that a child does not inherit, and that does not keep `sqlite3` from
 * reading.
 *
 * @throws PinfoldError storage_failed where another agent has it
 */
export function takeAgentLock(files: StateFiles): Disposable {
  ensureFile(files.lock);
  let database: Database.Database | undefined;
  try {
    database = new Sqlite(files.lock, { timeout: 0, fileMustExist: true });
    // Without this, SQLite would write a journal for a transaction that never writes.
    database.pragma('journal_mode = MEMORY');
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database?.close();
    if (error instanceof Sqlite.SqliteError && error.code.startsWith('SQLITE_BUSY')) {
      throw refusal(
        `Another Pinfold agent is using ${files.dir}; stop it, or give this one its own --state-dir.`,
      );
    }
    throw translateFailure(error, files.lock);
  }
  const held = database;
  return { [Symbol.dispose]: () => void held.close() };
}

/**
 * Makes the file where there is none. An existing one is never opened here: closing any descriptor
 * of a file drops all record locks this process has on it (fcntl(2)).
 */
function ensureFile(file: string): void {
  try {
    createPrivateFile(file);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw fileFailure(error, `The lock ${file} cannot be made`);
  }
}
