import type Database from 'better-sqlite3';
import { Sqlite } from './driver.ts';
import { stateFiles } from './state-dir.ts';

/**
 * Whether an agent takes the token with this SHA-256, as findSetting reads a setting. Undefined where there
 * is no database, or nothing we may read.
 */
export function isTokenTaken(stateDir: string, sha256: Uint8Array, now: Date): boolean | undefined {
  let database: Database.Database | undefined;
  try {
    database = new Sqlite(stateFiles(stateDir).database, { readonly: true, fileMustExist: true });
    const find = database.prepare(
      'SELECT 1 FROM token WHERE sha256 = ? AND (expires_at IS NULL OR expires_at > ?)',
    );
    return find.get(sha256, now.toISOString()) !== undefined;
  } catch {
    return undefined;
  } finally {
    database?.close();
  }
}
