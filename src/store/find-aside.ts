import type Database from 'better-sqlite3';
import { Sqlite } from './driver.ts';
import { stateFiles } from './state-dir.ts';

/**
 * Reads which entries of the staging directory an agent keeps for its pin sets, of this boot; none where
 * there is no such table yet.
 */
export function findAside(stateDir: string, bootId: string): readonly string[] {
  let database: Database.Database | undefined;
  try {
    database = new Sqlite(stateFiles(stateDir).database, { readonly: true, fileMustExist: true });
    const rows = database
      .prepare<[string], { slot: string }>('SELECT slot FROM pinset_aside WHERE boot_id = ? ORDER BY slot')
      .all(bootId);
    return rows.map(({ slot }) => slot);
  } catch {
    return [];
  } finally {
    database?.close();
  }
}
