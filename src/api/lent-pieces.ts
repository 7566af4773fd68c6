import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

/**
 * Answers with pieces of text, each of which is lent: it stays what it is until the next one is asked for.
 *
 * So it is written to the socket itself, and the next asked for when the kernel has all of it; a stream
 * in between would read ahead. `onGone` is called when the answer has ended or its client has gone. Where the
 * pieces fail the connection is cut, which a client can tell from an end.
 */
export function sendPieces(
  reply: FastifyReply,
  pieces: AsyncIterable<Uint8Array>,
  onGone: () => void,
): FastifyReply {
  const { raw } = reply;
  raw.once('close', onGone);
  reply.hijack();
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) raw.setHeader(name, value);
  }
  void writeAll(raw, pieces);
  return reply;
}

async function writeAll(raw: ServerResponse, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  let wake: () => void = () => undefined;
  raw.once('close', () => wake());
  try {
    for await (const piece of pieces) {
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (raw.destroyed) resolve();
        else raw.write(piece, () => resolve());
      });
      if (raw.destroyed) return;
    }
    raw.end();
  } catch {
    raw.destroy();
  }
}
