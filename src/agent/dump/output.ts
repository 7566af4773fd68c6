import { JsonText } from '../../kernel/btf/codec/json-text.ts';
import { limits } from '../../model/limits.ts';
import type { Piece } from './protocol.ts';

const gone = 'nobody reads on';

/** Pieces may be a little longer than what is full, because a line is not cut there. */
const pieceBytesMax = limits.dumpChunkBytes + 4096;

/** Thrown in a job whose reader has gone. */
export class Cancelled extends Error {}

/** How long a job may keep its thread before others get their turn. */
const turnMs = 5;

/**
 * The text a job writes, and its way to the main thread in pieces of a bounded size.
 *
 * Pieces lie in memory that both threads see, and are lent: so many may be out, then the job waits until one
 * is given back. That keeps a slow client from filling the memory, and a fast one from making garbage: to
 * hand over a buffer for each piece cost as much in the garbage collector as writing the text.
 */
export class Output {
  readonly text = new JsonText();
  /** Bytes handed on so far. */
  bytes = 0;
  readonly #send: (piece: Piece) => void;
  readonly #slots: Uint8Array<SharedArrayBuffer>[] = [];
  readonly #free: number[] = [];
  #isCancelled = false;
  #wake: (() => void) | undefined;
  #turnEnds = performance.now() + turnMs;

  constructor(send: (piece: Piece) => void) {
    this.#send = send;
  }

  /** A piece was given back. */
  took(slot: number): void {
    this.#free.push(slot);
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
      length = Math.min(pieceBytesMax, text.length - from);
      const slot = await this.#freeSlot();
      const bytes = this.#memoryOf(slot, length);
      bytes.set(text.bytes.subarray(from, from + length));
      this.bytes += length;
      this.#send({ slot, bytes });
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
    if (this.#isCancelled) throw new Cancelled(gone);
  }

  /** @throws Cancelled */
  async #freeSlot(): Promise<number> {
    while (this.#free.length === 0 && this.#slots.length >= limits.dumpChunksAhead) {
      if (this.#isCancelled) throw new Cancelled(gone);
      await this.#woken();
    }
    return this.#free.pop() ?? this.#slots.push(new Uint8Array(new SharedArrayBuffer(0))) - 1;
  }

  /** So many bytes of a slot, which gets larger memory when it has less; a single entry needs little. */
  #memoryOf(slot: number, length: number): Uint8Array<SharedArrayBuffer> {
    let memory = this.#slots[slot];
    if (memory === undefined || memory.length < length) {
      const isLarge = length >= limits.dumpChunkBytes;
      memory = new Uint8Array(new SharedArrayBuffer(isLarge ? pieceBytesMax : length));
      this.#slots[slot] = memory;
    }
    return memory.subarray(0, length);
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
