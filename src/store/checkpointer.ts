import { Worker } from 'node:worker_threads';
import { limits } from '../model/limits.ts';
import { checkpointScript } from './checkpoint-script.ts';
import type { Connection, Statement } from './connection.ts';
import { driverFile } from './driver.ts';

/** What the thread is at, or is to do; `over` where there is none. */
const words = { rest: 0, asked: 1, stop: 2, over: 3 } as const;

/** A log that is found to have grown a little later is no matter, and looking costs 3 µs. */
const commitsALook = 16;

/** A thread that is asked for nothing ends after this long: it takes some MiB. */
const restMs = 10_000;

/** So often what was written meanwhile is brought over at once; see checkpoint-script.ts. */
const passesMax = 8;

/** How long a checkpoint that has begun is waited for, at most. */
const patienceMs = 10_000;

/** It holds one connection, whose memory is not counted here. */
const resourceLimits = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 };

/** How far the log has come, in pages; `checkpointed` of them are in the database. */
interface Progress {
  readonly log: number;
  readonly checkpointed: number;
}

/**
 * Brings the write-ahead log into the database by a thread with a connection of its own, so that those whose
 * changes are committed do not wait for the disk (docs/adr/0038-a-thread-checkpoints.md).
 *
 * Where the log has grown to `limits.walCheckpointBytes` all the same, the thread is waited for, and the
 * agent's connection brings over what little is left.
 */
export class Checkpointer {
  readonly #connection: Connection;
  readonly #progress: Statement<Progress>;
  readonly #handedOver: number;
  readonly #overdue: number;
  #state = stateOf(words.over);
  #commits = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
    // NOOP tells, and does nothing (https://sqlite.org/pragma.html#pragma_wal_checkpoint).
    this.#progress = connection.prepare('PRAGMA wal_checkpoint(NOOP)');
    const pageBytes = connection.prepare<{ page_size: number }>('PRAGMA page_size').get()?.page_size ?? 0;
    this.#handedOver = limits.walHandedOverBytes / pageBytes;
    this.#overdue = limits.walCheckpointBytes / pageBytes;
  }

  /** A transaction was committed, and stays so whatever fails here: the next to write meets the same disk. */
  committed(): void {
    this.#commits += 1;
    if (this.#commits % commitsALook !== 0) return;
    try {
      this.#look();
    } catch {}
  }

  #look(): void {
    const { log, checkpointed } = this.#progress.get() ?? { log: 0, checkpointed: 0 };
    if (log - checkpointed >= this.#handedOver) this.#ask();
    // Whoever writes faster than the disk takes it waits for the disk, lest the log grow without end.
    if (log >= this.#overdue) Atomics.wait(this.#state, 0, words.asked, patienceMs);
  }

  /** Waits until the thread has let go of the database; it does nothing from then on. */
  stop(): void {
    const before = Atomics.exchange(this.#state, 0, words.stop);
    if (before === words.over) return;
    Atomics.notify(this.#state, 0);
    Atomics.wait(this.#state, 0, words.stop, patienceMs);
  }

  #ask(): void {
    const before = Atomics.compareExchange(this.#state, 0, words.rest, words.asked);
    if (before === words.rest) Atomics.notify(this.#state, 0);
    else if (before === words.over) this.#start();
  }

  #start(): void {
    const state = stateOf(words.asked);
    this.#state = state;
    const { file } = this.#connection;
    const workerData = { file, driver: driverFile, state, words, restMs, passesMax };
    const worker = new Worker(checkpointScript, { eval: true, workerData, resourceLimits });
    const end = (): void => void Atomics.store(state, 0, words.over);
    worker.on('error', end);
    worker.once('exit', end);
    worker.unref();
  }
}

function stateOf(word: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)).fill(word);
}
