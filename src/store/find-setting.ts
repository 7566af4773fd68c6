import type Database from 'better-sqlite3';
import { Sqlite } from './driver.ts';
import { stateFiles } from './state-dir.ts';

/**
 * Reads one setting of a state directory without becoming its agent: read-only, beside a running one.
 *
 * Undefined where there is no database, no such setting, or nothing we may read: whoever asks only looks
 * around. Not for a process that has the store open: closing this connection would drop its locks (fcntl(2)).
 */
export function findSetting(stateDir: string, name: string): string | undefined {
  let database: Database.Database | undefined;
  try {
    database = new Sqlite(stateFiles(stateDir).database, { readonly: true, fileMustExist: true });
    const row: unknown = database.prepare('SELECT value FROM setting WHERE name = ?').pluck().get(name);
    return typeof row === 'string' ? row : undefined;
  } catch {
    return undefined;
  } finally {
    database?.close();
  }
}
