import { ClientError } from './client-error.ts';

/** One message of a live stream. */
export interface StreamMessage {
  /** Where in history it is; undefined before the server has named a place. */
  readonly id: string | undefined;
  readonly event: string;
  /** Undefined for a heartbeat. */
  readonly data: unknown;
}

/**
 * Reads server-sent events as Pinfold writes them (HTML Living Standard, 9.2, one `data` line a message).
 *
 * Ends when the server ends the stream. @throws ClientError cut_short
 */
export async function* readEventStream(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<StreamMessage, void, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  try {
    for await (const chunk of body) {
      const blocks = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) yield messageOf(block);
    }
  } catch (error) {
    throw new ClientError('cut_short', 'The connection broke in the middle of the stream.', error);
  }
}

function messageOf(block: string): StreamMessage {
  const fields = new Map(
    block.split('\n').map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')] as const;
    }),
  );
  const data = fields.get('data');
  return {
    id: fields.get('id'),
    event: fields.get('event') ?? 'message',
    data: data === undefined ? undefined : JSON.parse(data),
  };
}
