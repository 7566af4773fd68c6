import { get, type IncomingMessage } from 'node:http';

/** One message of a live stream. */
export interface Message {
  /** The number its `id` begins with. */
  readonly id: number;
  /** The whole `id`: a place. */
  readonly place: string;
  readonly event: string;
  readonly data: { readonly seq?: number; readonly type?: string; readonly [member: string]: unknown };
}

/** A live stream as a plain HTTP client sees it. */
export interface EventStream extends Disposable {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** Everything since it was opened, in order. */
  readonly messages: readonly Message[];
  /** All text since then, as it came. */
  text(): string;
  readonly hasEnded: () => boolean;
}

/** Opens one over a unix socket and reads it; blocks are split by hand, without Pinfold's client. */
export async function openEventStream(
  socketPath: string,
  query = '',
  headers: Readonly<Record<string, string>> = {},
): Promise<EventStream> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const options = { socketPath, path: `/v1/events${query}`, agent: false } as const;
    get({ ...options, headers: { accept: 'text/event-stream', ...headers } }, resolve).on('error', reject);
  });
  const messages: Message[] = [];
  let whole = '';
  let rest = '';
  let hasEnded = false;
  response.setEncoding('utf8').on('data', (chunk: string) => {
    whole += chunk;
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) messages.push(...messageOf(block));
  });
  response
    .on('error', () => undefined)
    .on('close', () => {
      hasEnded = true;
    });
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    messages,
    text: () => whole,
    hasEnded: () => hasEnded,
    [Symbol.dispose]: () => void response.destroy(),
  };
}

function messageOf(block: string): Message[] {
  const fields = new Map(
    block.split('\n').map((line) => {
      const colon = line.indexOf(': ');
      return [line.slice(0, colon), line.slice(colon + 2)] as const;
    }),
  );
  const data = fields.get('data');
  if (data === undefined) return [];
  const place = fields.get('id') ?? '';
  const id = Number(place.split('-')[0]);
  return [{ id, place, event: fields.get('event') ?? '', data: JSON.parse(data) }];
}
