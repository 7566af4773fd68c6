import { randomBytes } from 'node:crypto';
import { lstatSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { PinfoldError } from '../model/error.ts';
import { backupScript } from './backup-script.ts';
import { newIdentity } from './database-file.ts';
import { driverFile, Sqlite } from './driver.ts';
import { errnoOf, fileFailure, translateFailure } from './failure.ts';
import { createPrivateFile, syncPath } from './private-file.ts';

/**
 * Copies a database that is being used to a new file of mode 0600, and proves that the copy is whole.
 *
 * The name is taken first, so nothing there is overwritten or followed; the copy is made and checked beside
 * it and renamed over it at the end: a file of that name with anything in it is a good backup. All the work
 * is done by a worker thread on its own connection, in one snapshot, while changes go on; meanwhile the
 * write-ahead log grows.
 *
 * @throws PinfoldError already_exists, invalid_input, storage_full, storage_failed
 */
export async function backupDatabase(database: string, file: string): Promise<{ readonly bytes: number }> {
  const target = resolve(file);
  if (target.startsWith(`${database}-`)) throw invalid(target, 'SQLite gives files of that name a meaning');
  reserve(target);
  const partial = `${target}.${randomBytes(6).toString('hex')}.partial`;
  try {
    createPrivateFile(partial);
    await copy({ database, partial, identity: newIdentity() });
    syncPath(partial);
    renameSync(partial, target);
    syncPath(dirname(target));
    return { bytes: statSync(target).size };
  } catch (error) {
    for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(`${partial}${suffix}`, { force: true });
    rmSync(target, { force: true });
    throw error instanceof PinfoldError
      ? error
      : fileFailure(error, `The backup ${target} cannot be written`);
  }
}

function reserve(target: string): void {
  const parent = statSync(dirname(target), { throwIfNoEntry: false });
  if (parent === undefined || !parent.isDirectory()) {
    throw invalid(target, 'its directory does not exist');
  }
  if ((parent.mode & 0o022) !== 0 && (parent.mode & 0o1000) === 0) {
    throw invalid(target, 'anybody may rename files in its directory');
  }
  try {
    createPrivateFile(target);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw fileFailure(error, `The backup ${target} cannot be written`);
    const what = lstatSync(target, { throwIfNoEntry: false })?.isSymbolicLink()
      ? 'a symbolic link'
      : 'something';
    throw new PinfoldError('already_exists', {
      detail: `There is ${what} at ${target} already; name a new file.`,
    });
  }
}

function copy(job: { database: string; partial: string; identity: string }): Promise<void> {
  const worker = new Worker(backupScript, { eval: true, workerData: { ...job, driver: driverFile } });
  return new Promise((done, fail) => {
    worker.once('error', fail);
    worker.once('exit', () =>
      fail(new PinfoldError('storage_failed', { detail: 'The backup was interrupted.' })),
    );
    worker.once('message', (failure: { code: string; message: string } | undefined) => {
      if (failure === undefined) done();
      else fail(translateFailure(new Sqlite.SqliteError(failure.message, failure.code), job.partial));
    });
  });
}

function invalid(target: string, why: string): PinfoldError {
  return new PinfoldError('invalid_input', { detail: `No backup can be written to ${target}: ${why}.` });
}
