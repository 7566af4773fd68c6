/**
 * What the worker thread of a backup runs: plain CommonJS in a text, because a worker on Node 20 cannot load
 * TypeScript, and a backup must work from the sources as well as built.
 *
 * Copies `workerData.database` into the empty file `partial` in one step and one read transaction (a copy in
 * parts would start again at each change by the agent), gives the copy an identity of its own, so that a
 * write-ahead log the original left behind is never taken for the copy's, and checks it. Posts undefined, or
 * the SQLite code and message.
 */
export const backupScript = `
const { parentPort, workerData } = require('node:worker_threads');
const Database = require(workerData.driver);

async function copy() {
  const source = new Database(workerData.database, { readonly: true, fileMustExist: true });
  try {
    await source.backup(workerData.partial, { progress: () => 0x7fffffff });
  } finally {
    source.close();
  }
  const made = new Database(workerData.partial, { fileMustExist: true });
  try {
    made.prepare('UPDATE store SET identity = ?').run(workerData.identity);
    const verdict = made.pragma('integrity_check(1)', { simple: true });
    return verdict === 'ok' ? undefined : { code: 'SQLITE_CORRUPT', message: verdict };
  } finally {
    made.close();
  }
}

copy().then(
  (failure) => parentPort.postMessage(failure),
  (error) => parentPort.postMessage({ code: error.code ?? 'SQLITE_IOERR', message: error.message }),
);
`;
