import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createSocketServer } from 'node:net';

/** One request as it arrived. */
export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Of the event inside; undefined for a gap or a ping. */
  readonly seq: number | undefined;
  readonly type: string;
}

/** What a receiver does with a request, `nth` of all (from 0). */
export type Answer = (response: ServerResponse, received: Received, nth: number) => void;

/** A receiver of webhooks on a port of its own. */
export interface Receiver extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** Everything it was sent, also what it did not accept. */
  readonly received: readonly Received[];
  /** Connections that were opened to it, ever. */
  connections(): number;
  /** How many requests it has not answered yet, at most at one time. */
  inFlightMost(): number;
}

/** Answers with a status, and nothing else. */
export const answering =
  (status: number, headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response.writeHead(status, headers).end();

/** Where it listens, how it answers, and its certificate where it has one. */
export interface ReceiverOptions {
  readonly answer?: Answer;
  readonly host?: string;
  readonly port?: number;
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** Starts one that answers 204 unless told. */
export async function startReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const { answer = answering(204), host = '127.0.0.1', port = 0, tls } = options;
  const received: Received[] = [];
  const load = { now: 0, most: 0, connections: 0 };
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    load.most = Math.max(load.most, ++load.now);
    response.once('close', () => load.now--);
    const chunks: Buffer[] = [];
    request.on('error', () => undefined);
    for await (const chunk of request) chunks.push(chunk);
    const one = parseReceived(request, Buffer.concat(chunks).toString('utf8'));
    received.push(one);
    answer(response, one, received.length - 1);
  };
  const listener = (request: IncomingMessage, response: ServerResponse): void =>
    void take(request, response).catch(() => response.destroy());
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.on(tls === undefined ? 'connection' : 'secureConnection', () => load.connections++);
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  const { port: bound } = server.address() as AddressInfo;
  return {
    port: bound,
    url: `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${bound}/hook`,
    received,
    connections: () => load.connections,
    inFlightMost: () => load.most,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A port of 127.0.0.1 that nothing listens on. */
export async function unusedPort(): Promise<number> {
  const server = createSocketServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The numbers of the events in order of arrival, each where it arrived first. */
export function firstArrivals(received: readonly Received[]): readonly number[] {
  return [...new Set(received.flatMap(({ seq }) => seq ?? []))];
}

function parseReceived({ method = '', url = '', headers }: IncomingMessage, body: string): Received {
  const { type, data }: { type: string; data: { seq?: number } } = JSON.parse(body);
  return { method, url, headers, body, seq: data.seq, type };
}
