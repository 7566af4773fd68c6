import { PinfoldError } from './error.ts';
import { escapeText } from './escape.ts';

/** What of `node:fs` making directories takes. */
export interface DirectoryCalls {
  mkdirSync(path: string, mode: number): unknown;
  statSync(path: string): { isDirectory(): boolean };
}

/** What is wrong with the path itself, not with the disk or with who asks. */
const whys: Readonly<Record<string, string>> = {
  EEXIST: 'what is there is not a directory',
  ELOOP: 'there are too many symbolic links in the path',
  ENAMETOOLONG: 'a name in the path is too long',
  ENOENT: 'its file system takes none there',
  ENOTDIR: 'part of the path is not a directory',
};

/**
 * Makes a directory (0700) and those above it that are missing; one that is there is fine.
 *
 * Node's own `recursive` tries for ever where mkdir(2) says ENOENT below a directory that is there, as
 * /proc does.
 *
 * @throws PinfoldError storage_failed where the path can be no directory; else what mkdirSync throws
 */
export function makeDirectories(calls: DirectoryCalls, path: string): void {
  if (isMade(calls, path)) return;
  const parent = path.replace(/\/*[^/]*\/*$/, '');
  if (parent !== '') makeDirectories(calls, parent);
  if (!isMade(calls, path)) throw refused(path, 'ENOENT');
}

/** Makes one directory where there is none; false where what should be above it is not there. */
function isMade(calls: DirectoryCalls, path: string): boolean {
  try {
    calls.mkdirSync(path, 0o700);
    return true;
  } catch (error) {
    const errno = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (errno === 'ENOENT') return false;
    if (errno === 'EEXIST' && isDirectory(calls, path)) return true;
    throw errno in whys ? refused(path, errno, error) : error;
  }
}

function isDirectory(calls: DirectoryCalls, path: string): boolean {
  try {
    return calls.statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function refused(path: string, errno: string, cause?: unknown): PinfoldError {
  const detail = `The directory ${escapeText(path)} cannot be made: ${whys[errno]}; name another one.`;
  return new PinfoldError('storage_failed', { detail, errno }, cause);
}
