import { PinfoldError } from '../../model/error.ts';
import type { MapInfo } from '../../model/schema/map-info.ts';
import type { Failure, FromWorker, JobSummary, Piece } from './protocol.ts';

/** What the pool does for a job. */
interface JobActions {
  /** What a piece lies in may be written to again. */
  readonly took: (slot: number) => void;
  readonly cancel: () => void;
}

/** A job as its reader on the main thread sees it. */
export class RunningJob {
  /** Of the map it reads; 0 where it writes types. */
  readonly maxEntries: number;
  readonly #actions: JobActions;
  readonly #pieces: Piece[] = [];
  #lent: Piece | undefined;
  #summary: JobSummary | undefined;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;
  #cut: (() => void) | undefined;
  readonly #now: () => number;
  /** Since when its reader has what it was given and asks for no more; undefined while it waits itself. */
  #leftAtMs: number | undefined;

  /** @param now milliseconds that never go backwards */
  constructor(map: Pick<MapInfo, 'max_entries'>, actions: JobActions, now: () => number) {
    this.maxEntries = map.max_entries;
    this.#actions = actions;
    this.#now = now;
    this.#leftAtMs = now();
  }

  /** For how long its reader has asked for nothing. */
  get stalledMs(): number {
    return this.#leftAtMs === undefined ? 0 : this.#now() - this.#leftAtMs;
  }

  /** Who passes on what is read wants to know when its place is given to another. */
  onCut(listener: () => void): void {
    this.#cut = listener;
  }

  /** Its place is given to another. */
  cut(): void {
    this.#actions.cancel();
    this.fail(new Error('its reader took nothing, and its place was wanted'));
    this.#cut?.();
  }

  /**
   * The next piece of the text, or undefined at the end. It is lent: its bytes change once the next is asked
   * for. @throws PinfoldError and whatever the thread threw
   */
  async next(): Promise<Uint8Array | undefined> {
    if (this.#lent !== undefined) this.#actions.took(this.#lent.slot);
    this.#leftAtMs = undefined;
    for (;;) {
      this.#lent = this.#pieces.shift();
      if (this.#lent !== undefined) {
        this.#leftAtMs = this.#now();
        return this.#lent.bytes;
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
    if (message.type === 'piece') this.#pieces.push(message.piece);
    else if (message.type === 'done') this.#summary = message.summary;
    else if (message.type === 'failed') this.#failure ??= errorOf(message.failure);
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
