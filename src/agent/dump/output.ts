import { JsonText } from '../../kernel/btf/codec/json-text.ts';
import { limits } from '../../model/limits.ts';

/** So much longer a piece may be, because a line is not cut where the piece is full. */
const lastLineBytes = 4096;

/** Thrown in a job whose reader has gone. */
export class Cancelled extends Error {}

/** How long a job may keep its thread before others get their turn. */
const turnMs = 5;

/**
 * The text a job writes, and its way to the main thread in pieces of a bounded size.
 *
 * So many pieces may be on their way; then the job waits until one has been taken. That is all that keeps a
 * slow client from filling the memory.
 */
export class Output {
  readonly text = new JsonText(limits.dumpChunkBytes + lastLineBytes);
  /** Bytes handed on so far. */
  bytes = 0;
  readonly #send: (piece: Uint8Array<ArrayBuffer>) => void;
  #room: number = limits.dumpChunksAhead;
  #isCancelled = false;
  #wake: (() => void) | undefined;
  #turnEnds = performance.now() + turnMs;

  constructor(send: (piece: Uint8Array<ArrayBuffer>) => void) {
    this.#send = send;
  }

  /** One piece was taken. */
  more(): void {
    this.#room++;
    this.#wake?.();
  }

  cancel(): void {
    this.#isCancelled = true;
    this.#wake?.();
  }

  /** Whether the text has grown to a piece. */
  get isFull(): boolean {
    return this.text.length >= limits.dumpChunkBytes;
  }

  /** Hands the text on and empties it; waits for room. @throws Cancelled */
  async flush(): Promise<void> {
    const { text } = this;
    for (let from = 0, length = 0; from < text.length; from += length) {
      while (this.#room === 0 && !this.#isCancelled) await this.#woken();
      length = Math.min(limits.dumpChunkBytes + lastLineBytes, text.length - from);
      const piece = new Uint8Array(length);
      piece.set(text.bytes.subarray(from, from + length));
      this.#room--;
      this.bytes += length;
      this.#send(piece);
    }
    text.length = 0;
    await this.breathe();
  }

  /** Lets others have the thread from time to time. @throws Cancelled */
  async breathe(): Promise<void> {
    if (performance.now() > this.#turnEnds) {
      await new Promise((resolve) => setImmediate(resolve));
      this.#turnEnds = performance.now() + turnMs;
    }
    if (this.#isCancelled) throw new Cancelled('nobody reads on');
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
