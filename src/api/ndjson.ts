import { Readable } from 'node:stream';
import { PinfoldError } from '../model/error.ts';
import { limits } from '../model/limits.ts';

/**
 * Counts the streams that are open, so that slow readers cannot pile them up, and gives them turns, so that
 * fast readers leave time for everybody else.
 */
export class StreamSlots {
  #open = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #endless = new Set<() => void>();

  /** Takes one of the slots until the answer's function is called. @throws PinfoldError too_many_requests */
  take(): () => void {
    if (this.#open >= limits.streamsMax) {
      throw new PinfoldError('too_many_requests', {
        detail: `${limits.streamsMax} streams are open already.`,
        limit: 'streams',
        retry_after: 1,
      });
    }
    this.#open++;
    let isHeld = true;
    return () => {
      if (isHeld) this.#open--;
      isHeld = false;
    };
  }

  /** Takes note of a stream that has no end of its own; call what it answers when it has been closed. */
  endWithAll(end: () => void): () => void {
    this.#endless.add(end);
    return () => void this.#endless.delete(end);
  }

  /** The agent stops: streams without an end come to theirs; the others may finish. */
  endAll(): void {
    for (const end of this.#endless) end();
  }

  /**
   * Does a piece of a stream's work soon: between two rounds of the event loop all streams together work for
   * limits.streamSliceMs, however many are open.
   */
  turn(work: () => void): void {
    this.#waiting.push(work);
    if (this.#waiting.length === 1) setImmediate(() => this.#serve());
  }

  #serve(): void {
    const end = performance.now() + limits.streamSliceMs;
    for (let work = this.#waiting[0]; work !== undefined; work = this.#waiting[0]) {
      work();
      this.#waiting.shift();
      if (performance.now() >= end) break;
    }
    if (this.#waiting.length > 0) setImmediate(() => this.#serve());
  }
}

/** Items in batches, and at last what the stream came to. */
export type Batches<Item> = Generator<readonly Item[], Readonly<Record<string, unknown>>, undefined>;

/**
 * Writes items one a line and ends with a `{"summary":…}` line, so that a cut stream is visible.
 *
 * Lines are joined to chunks of about 64 KiB, and the next one is made in a turn of its own, when the socket
 * has drained: what waits in memory is bounded, however slow the reader is.
 */
export function streamLines<Item>(batches: Batches<Item>, slots: StreamSlots, onEnd: () => void): Readable {
  const chunks = chunksOf(batches);
  const stream = new Readable({
    highWaterMark: limits.streamChunkBytes,
    read: () =>
      slots.turn(() => {
        if (!stream.destroyed) pushNext(stream, chunks);
      }),
  });
  stream.once('close', onEnd);
  return stream;
}

function pushNext(stream: Readable, chunks: Iterator<Buffer>): void {
  try {
    const { done, value } = chunks.next();
    stream.push(done === true ? null : value);
  } catch (error) {
    stream.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

function* chunksOf<Item>(batches: Batches<Item>): Generator<Buffer, void, undefined> {
  for (;;) {
    const step = batches.next();
    if (step.done === true) {
      yield Buffer.from(`${JSON.stringify({ summary: step.value })}\n`);
      return;
    }
    let lines = '';
    for (const item of step.value) {
      lines += `${JSON.stringify(item)}\n`;
      if (lines.length < limits.streamChunkBytes) continue;
      yield Buffer.from(lines);
      lines = '';
    }
    if (lines !== '') yield Buffer.from(lines);
  }
}
