/**
 * What the thread of a checkpointer runs: plain CommonJS in a text, for the reasons of backup-script.ts.
 *
 * It brings the write-ahead log of `workerData.file` into the database whenever it is asked, ends when
 * nobody has asked for `restMs`, and says by `workerData.state` what it is at (checkpointer.ts). PASSIVE
 * waits for nobody and lets nobody wait. What was written meanwhile is brought over at once, which takes less
 * each time: only a log of which nothing is left begins anew. A failure is nothing new: whoever writes next
 * meets the same disk, and the agent's own connection brings over what is overdue.
 */
export const checkpointScript = `
const { workerData } = require('node:worker_threads');
const { file, driver, state, words, restMs, passesMax } = workerData;

function bringOver() {
  const Database = require(driver);
  const database = new Database(file, { fileMustExist: true });
  try {
    database.pragma('synchronous = NORMAL');
    let [before, pass] = [-1, 0];
    for (; pass < passesMax && Atomics.load(state, 0) === words.asked; pass++) {
      const [{ log, checkpointed }] = database.pragma('wal_checkpoint(PASSIVE)');
      if (checkpointed >= log || checkpointed <= before) break;
      before = checkpointed;
    }
  } finally {
    database.close();
  }
}

function attend() {
  for (;;) {
    Atomics.wait(state, 0, words.rest, restMs);
    if (Atomics.load(state, 0) !== words.asked) return;
    try {
      bringOver();
    } catch {}
    if (Atomics.compareExchange(state, 0, words.asked, words.rest) !== words.asked) return;
    Atomics.notify(state, 0);
  }
}

try {
  do attend();
  while (Atomics.compareExchange(state, 0, words.rest, words.over) === words.asked);
} finally {
  Atomics.store(state, 0, words.over);
  Atomics.notify(state, 0);
}
`;
