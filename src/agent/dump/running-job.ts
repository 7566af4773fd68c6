import { PinfoldError } from '../../model/error.ts';
import type { MapInfo } from '../../model/schema/map-info.ts';
import type { Failure, FromWorker, JobSummary } from './protocol.ts';

/** What the pool does for a job. */
interface JobActions {
  /** One piece was taken: there is room for another. */
  readonly took: () => void;
  readonly cancel: () => void;
}

/** A job as its reader on the main thread sees it. */
export class RunningJob {
  /** Of the map it reads. */
  readonly maxEntries: number;
  readonly #actions: JobActions;
  readonly #pieces: Uint8Array[] = [];
  #summary: JobSummary | undefined;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(map: MapInfo, actions: JobActions) {
    this.maxEntries = map.max_entries;
    this.#actions = actions;
  }

  /** The next piece of the text; undefined at the end. @throws PinfoldError and whatever the thread threw */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) {
        this.#actions.took();
        return piece;
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#summary !== undefined) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Waits until there is something to read, so that a refusal comes before the first byte. */
  async begun(): Promise<void> {
    while (this.#pieces.length === 0 && this.#summary === undefined) {
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** What it came to, once `next` has answered undefined. */
  summary(): JobSummary {
    if (this.#summary === undefined) throw new Error('the job has not ended');
    return this.#summary;
  }

  /** Nobody reads on. Does nothing after the end. */
  cancel(): void {
    this.#actions.cancel();
  }

  /** Called by the pool with what the thread says. */
  take(message: FromWorker): void {
    if (message.type === 'piece') this.#pieces.push(message.bytes);
    else if (message.type === 'done') this.#summary = message.summary;
    else if (message.type === 'failed') this.#failure = errorOf(message.failure);
    this.#wake?.();
  }

  /** Called by the pool where the thread itself has ended. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#wake?.();
  }
}

function errorOf(failure: Failure): Error {
  return 'code' in failure
    ? new PinfoldError(failure.code, failure.details)
    : new Error(`a thread that reads maps failed: ${failure.message}`);
}
