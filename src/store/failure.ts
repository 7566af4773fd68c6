import { statfsSync } from 'node:fs';
import { PinfoldError } from '../model/error.ts';
import { Sqlite } from './driver.ts';

/**
 * Result codes that tell of the disk or the file, not of a mistake in our SQL
 * (https://sqlite.org/rescode.html).
 */
const failed = /^SQLITE_(IOERR|READONLY|CORRUPT|NOTADB|CANTOPEN|BUSY|LOCKED|PROTOCOL|NOMEM|PERM|AUTH)(_|$)/;

/** Below this an I/O error is taken for a full disk: SQLite reports some of them without the errno. */
const scarceBytes = 256 * 1024;

/**
 * What a thrown value means to callers of the store: a PinfoldError storage_full or storage_failed where the
 * disk or the file is to blame, the value itself where it is a programmer's mistake (a broken constraint,
 * wrong SQL).
 */
export function translateFailure(thrown: unknown, file: string): unknown {
  if (!(thrown instanceof Sqlite.SqliteError)) return thrown;
  if (thrown.code === 'SQLITE_FULL') return storageFull(file, thrown);
  if (!failed.test(thrown.code)) return thrown;
  if (thrown.code.startsWith('SQLITE_IOERR') && isScarce(file)) return storageFull(file, thrown);
  const detail = `The state database ${file} cannot be used: ${thrown.message} (${thrown.code}).`;
  return new PinfoldError('storage_failed', { detail }, thrown);
}

/**
 * The error of a file operation beside the database: storage_full for a full disk or quota, else
 * storage_failed.
 */
export function fileFailure(thrown: unknown, sentence: string): PinfoldError {
  const errno = errnoOf(thrown);
  const code = errno === 'ENOSPC' || errno === 'EDQUOT' ? 'storage_full' : 'storage_failed';
  const detail = errno === undefined ? `${sentence}.` : `${sentence}: ${explanations[errno] ?? errno}.`;
  return new PinfoldError(code, errno === undefined ? { detail } : { detail, errno }, thrown);
}

/** The errno's name of a failed `node:fs` call, undefined for anything else. */
export function errnoOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' && /^E[A-Z0-9]+$/.test(thrown.code) ? thrown.code : undefined;
}

/** A refusal of the store's files as they are; the sentence says what to do. */
export function refusal(detail: string): PinfoldError {
  return new PinfoldError('storage_failed', { detail });
}

const explanations: Readonly<Record<string, string>> = {
  EACCES: 'permission is denied',
  EPERM: 'it is not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space is left on the device',
  EDQUOT: 'the disk quota is used up',
  ENOENT: 'there is no such directory',
  ENOTDIR: 'part of the path is not a directory',
};

function storageFull(file: string, cause: unknown): PinfoldError {
  const detail = `No space is left for the state database ${file}; it recovers by itself when there is.`;
  return new PinfoldError('storage_full', { detail }, cause);
}

function isScarce(file: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(file);
    return bavail * bsize < scarceBytes;
  } catch {
    return false;
  }
}
