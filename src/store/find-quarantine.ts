import type Database from 'better-sqlite3';
import { Sqlite } from './driver.ts';
import { stateFiles } from './state-dir.ts';

/** What a look from outside tells of a pin in quarantine; byte strings. */
export interface QuarantinedEntry {
  readonly mount: string;
  readonly slot: string;
  readonly path: string;
}

/**
 * Reads which pins of this boot an agent has in quarantine, as findSetting reads a setting. None where there
 * is no database, or nothing we may read.
 */
export function findQuarantine(stateDir: string, bootId: string): readonly QuarantinedEntry[] {
  let database: Database.Database | undefined;
  try {
    database = new Sqlite(stateFiles(stateDir).database, { readonly: true, fileMustExist: true });
    const rows = database
      .prepare<[string], { mount: string; slot: string; path: Buffer }>(
        'SELECT mount, slot, path FROM quarantine WHERE boot_id = ? ORDER BY seq',
      )
      .all(bootId);
    return rows.map(({ mount, slot, path }) => ({ mount, slot, path: path.toString('latin1') }));
  } catch {
    return [];
  } finally {
    database?.close();
  }
}
