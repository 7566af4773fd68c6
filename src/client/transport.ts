import type { Readable } from 'node:stream';
import { Agent, fetch as undiciFetch } from 'undici';
import { type Address, showAddress } from './address.ts';
import { ClientError } from './client-error.ts';
import { Connections } from './connections.ts';

/** So long is waited for a connection, where there is not less time. */
const connectMs = 10_000;

/** How to reach one server. */
export interface TransportOptions {
  readonly address: Address;
  /** Bearer token; a unix socket needs none. */
  readonly token?: string;
  /** Silence that is waited out: to connect, until the answer begins, and between two pieces of it. */
  readonly timeoutMs: number;
  /** What comes before every path: a node's own API behind a manager. */
  readonly basePath?: string;
  /** PEM texts, for `https`. */
  readonly tls?: {
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
    /**
     * Judges the names of the server's certificate (`subjectAltName`) in place of its host name: says why it
     * is not whom we mean.
     */
    readonly refuse?: (subjectAltName: string | undefined) => string | undefined;
  };
}

/** A request whose path is sent as it is given; `fetch` would tidy it. */
export interface RawRequest {
  readonly method: string;
  /** Path and query, percent-encoded. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | null;
  readonly signal: AbortSignal;
}

/** Its answer as it comes: whoever has asked reads the body to its end, or destroys it. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readable;
}

/** Connections to one server, and a `fetch` that uses them. */
export interface Transport {
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  fetch(request: Request): Promise<Response>;
  /** Resolves when the answer begins, whatever its status. @throws ClientError unreachable, timed_out */
  send(request: RawRequest): Promise<RawAnswer>;
  /** Ends what nobody uses, lets the rest finish, and is done when it has; nothing may be asked any more. */
  retire(): Promise<void>;
  close(): Promise<void>;
}

/** Opens nothing yet: the first request connects. Redirects are not followed, a token would go with them. */
export function openTransport(options: TransportOptions): Transport {
  const { address, token, timeoutMs, tls: { refuse, ...pem } = {} } = options;
  const socket = address.kind === 'unix' ? { socketPath: address.socketPath } : {};
  const origin = address.kind === 'unix' ? 'http://localhost' : address.url;
  const how = {
    connect: {
      ...{ ...pem, ...(refuse === undefined ? {} : judging(refuse)), ...socket },
      timeout: Math.min(timeoutMs, connectMs),
    },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  };
  const connections = new Connections(origin, how);
  let agent: Agent | undefined;
  return {
    baseUrl: `${origin}${options.basePath ?? ''}`,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    fetch: async (request) => {
      const body = request.body === null ? null : await request.text();
      const { method, url, signal } = request;
      const headers = Object.fromEntries(request.headers);
      agent ??= new Agent(how);
      try {
        return await undiciFetch(url, {
          method,
          headers,
          body,
          signal,
          redirect: 'error',
          dispatcher: agent,
        });
      } catch (error) {
        throw connectionError(error, options);
      }
    },
    send: async ({ method, target, headers, body, signal }) => {
      const connection = connections.idle();
      const leave = (): void => connections.leave(connection);
      signal.addEventListener('abort', leave, { once: true });
      try {
        const answer = await connection.request({
          path: target,
          method: parseMethod(method),
          headers,
          body,
          signal,
        });
        return { status: answer.statusCode, headers: answer.headers, body: answer.body };
      } catch (error) {
        throw connectionError(error, options);
      } finally {
        signal.removeEventListener('abort', leave);
      }
    },
    retire: async () => {
      await Promise.all([connections.retire(), agent?.close()]);
    },
    close: async () => {
      await Promise.all([connections.close(), agent?.destroy()]);
    },
  };
}

/** A session that was kept would not be judged again, so none is. */
function judging(refuse: NonNullable<NonNullable<TransportOptions['tls']>['refuse']>) {
  return {
    maxCachedSessions: 0,
    checkServerIdentity: (_host: string, { subjectaltname }: { readonly subjectaltname?: string }) => {
      const why = refuse(subjectaltname);
      return why === undefined ? undefined : Object.assign(new Error(why), { code: wrongPeer });
    },
  };
}

/** The code of an error whose text says why the server is not whom we mean. */
const wrongPeer = 'PINFOLD_WRONG_PEER';

/** undici has a closed list of methods; these are all the API has. */
function parseMethod(method: string): 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' {
  return method as 'GET';
}

/** A sentence for what kept a request from being answered. */
function connectionError(error: unknown, { address, timeoutMs }: TransportOptions): ClientError {
  const code = codeOf(error);
  const where = showAddress(address);
  if (/^UND_ERR_(CONNECT|HEADERS|BODY)_TIMEOUT$|^ETIMEDOUT$/.test(code)) {
    const waitedMs = code === 'UND_ERR_CONNECT_TIMEOUT' ? Math.min(timeoutMs, connectMs) : timeoutMs;
    return new ClientError('timed_out', `${where} did not answer within ${waitedMs / 1000} s.`, error);
  }
  if (address.kind === 'unix' && (code === 'EACCES' || code === 'EPERM')) {
    return new ClientError('socket_denied', `This user may not open the socket ${where}.`, error);
  }
  if (code === wrongPeer && error instanceof Error)
    return new ClientError('unreachable', `No answer from ${where}: ${error.message}.`, error);
  const why = reasons[code] ?? `the connection failed with ${code}`;
  return new ClientError('unreachable', `No answer from ${where}: ${why}.`, error);
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such socket',
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'there is no host of that name',
  ECONNRESET: 'the server closed the connection',
  UND_ERR_SOCKET: 'the server closed the connection',
};

/** fetch wraps the socket's error in a TypeError, and several tries (IPv6, IPv4) in an AggregateError. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'an unknown error';
  if ('code' in error && typeof error.code === 'string') return error.code;
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  return error.cause === undefined ? error.message : codeOf(error.cause);
}
