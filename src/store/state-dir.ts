import {
  accessSync,
  chmodSync,
  constants,
  lstatSync,
  mkdirSync,
  readdirSync,
  type Stats,
  statSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { isPinfoldError } from '../model/error.ts';
import { makeDirectories } from '../model/make-directories.ts';
import { fileFailure, refusal } from './failure.ts';

/** Where the store keeps its files. */
export interface StateFiles {
  readonly dir: string;
  readonly database: string;
  /** SQLite's write-ahead log; it exists while the database is open and after a killed agent. */
  readonly wal: string;
  /** A database in the making; it becomes `database` by rename once it is whole. */
  readonly unfinished: string;
  readonly lock: string;
}

/** The names of the files in a state directory. */
export function stateFiles(stateDir: string): StateFiles {
  const dir = resolve(stateDir);
  const database = join(dir, 'pinfold.db');
  return {
    dir,
    database,
    wal: `${database}-wal`,
    unfinished: `${database}.unfinished`,
    lock: join(dir, 'pinfold.lock'),
  };
}

/**
 * Makes the state directory (0700), or makes sure that nobody else can have a hand in one that is there.
 *
 * The mode of an existing directory is tightened only where it is empty or holds our database already: a
 * person who names `/etc` by mistake keeps it as it was.
 *
 * @throws PinfoldError storage_failed, storage_full
 */
export function secureStateDir(files: StateFiles): void {
  const { dir } = files;
  try {
    makeDirectories({ mkdirSync, statSync }, dir);
  } catch (error) {
    throw isPinfoldError(error) ? error : fileFailure(error, `The state directory ${dir} cannot be made`);
  }
  checkOurs(dir, lstatSync(dir), 'directory');
  const names = readdirSync(dir);
  if (names.length === 0 || names.includes('pinfold.db')) tighten(dir, 0o700);
  try {
    accessSync(dir, constants.W_OK);
  } catch (error) {
    throw fileFailure(error, `The state directory ${dir} cannot be written to`);
  }
  for (const file of [files.database, files.wal, files.lock]) {
    const stats = lstatSync(file, { throwIfNoEntry: false });
    if (stats === undefined) continue;
    checkOurs(file, stats, 'file');
    tighten(file, 0o600);
  }
}

function checkOurs(path: string, stats: Stats, expected: 'directory' | 'file'): void {
  const uid = process.getuid?.();
  if (stats.isSymbolicLink()) throw refusal(`${path} is a symbolic link; name the ${expected} itself.`);
  const isExpected = expected === 'directory' ? stats.isDirectory() : stats.isFile();
  if (!isExpected)
    throw refusal(`${path} is not a ${expected}; move it away or name another state directory.`);
  if (stats.uid !== uid) {
    throw refusal(
      `${path} belongs to uid ${stats.uid}, not to ${uid} who runs Pinfold; give it back with chown.`,
    );
  }
  if ((stats.mode & 0o022) !== 0) {
    throw refusal(`${path} can be written to by others; look who did, then take that away with chmod go-w.`);
  }
}

function tighten(path: string, mode: number): void {
  if ((lstatSync(path).mode & 0o777) !== mode) chmodSync(path, mode);
}
