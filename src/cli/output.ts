import type { Writable } from 'node:stream';

/** Whoever read our output has gone: nothing is wrong, there is only nobody left to write for. */
export class ClosedPipe extends Error {}

/** A stream written line by line, in pieces large enough not to be slow. */
export interface LineWriter {
  /** @throws ClosedPipe */
  line(text: string): Promise<void>;
  /** Hands on what is still held back. @throws ClosedPipe */
  flush(): Promise<void>;
}

/** Makes a writer. Waits while the reader is slow, so that memory stays flat. */
export function lineWriter(stream: Writable): LineWriter {
  const pieceChars = 16 * 1024;
  let held = '';
  stream.on('error', () => undefined);
  const flush = async (): Promise<void> => {
    const text = held;
    held = '';
    if (text !== '') await write(stream, text);
  };
  return {
    line: async (text) => {
      held += `${text}\n`;
      if (held.length >= pieceChars) await flush();
    },
    flush,
  };
}

function write(stream: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => {
      if (error === null || error === undefined) resolve();
      else reject(isClosed(error) ? new ClosedPipe('closed pipe') : error);
    });
  });
}

/**
 * The first write after the reader has gone fails with EPIPE, every later one because Node then closed the
 * stream.
 */
function isClosed(error: Error): boolean {
  return 'code' in error && (error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED');
}
