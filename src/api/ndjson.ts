import { Readable } from 'node:stream';
import { PinfoldError } from '../model/error.ts';
import { limits } from '../model/limits.ts';

/** Counts the streams that are open, so that slow readers cannot pile them up. */
export class StreamSlots {
  #open = 0;

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
}

/** Items in batches, and at last what the stream came to. */
export type Batches<Item> = Generator<readonly Item[], Readonly<Record<string, unknown>>, undefined>;

/**
 * Writes items one a line and ends with a `{"summary":…}` line, so that a cut stream is visible.
 *
 * Lines are joined to chunks of about 64 KiB, and the next batch is asked for only when the socket has
 * drained: what waits in memory is bounded, however slow the reader is.
 */
export function streamLines<Item>(batches: Batches<Item>, onEnd: () => void): Readable {
  const stream = Readable.from(chunksOf(batches), {
    objectMode: false,
    highWaterMark: limits.streamChunkBytes,
  });
  stream.once('close', onEnd);
  return stream;
}

function* chunksOf<Item>(batches: Batches<Item>): Generator<Buffer, void, undefined> {
  let lines = '';
  for (;;) {
    const step = batches.next();
    if (step.done === true) {
      yield Buffer.from(`${lines}${JSON.stringify({ summary: step.value })}\n`);
      return;
    }
    for (const item of step.value) {
      lines += `${JSON.stringify(item)}\n`;
      if (lines.length < limits.streamChunkBytes) continue;
      yield Buffer.from(lines);
      lines = '';
    }
  }
}
