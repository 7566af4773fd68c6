import { constants } from 'node:crypto';
import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, ListenOptions } from 'node:net';
import type { TlsTexts } from '../model/certificates.ts';
import { limits } from '../model/limits.ts';
import type { Renewable } from '../model/renewable.ts';
import { addParserRefusals } from './client-error.ts';
import type { Entrance } from './connection.ts';
import { createGuard, type Guard } from './guard.ts';
import type { Api } from './server.ts';

/** A place where requests come in. */
export interface Listener {
  /** `unix:/run/pinfold/agent.sock` or `http://127.0.0.1:7463`. */
  readonly address: string;
  /** The IP address it is bound to; undefined for a unix socket. */
  readonly host: string | undefined;
  /** Accepts nothing new, lets what runs finish, and cuts it after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** Where to listen, and what belongs to that place. */
export interface ListenRequest {
  readonly api: Api;
  /** A path, a host and port, or an inherited descriptor: what net.Server.listen takes. */
  readonly at: ListenOptions | { readonly fd: number };
  /** What new connections are shown; those that are there go on with what they saw. */
  readonly tls?: Renewable<TlsTexts> | undefined;
  /** Host names beside loopback ones, for TCP. */
  readonly allowHosts: readonly string[];
  readonly onLimit: (limit: string) => void;
}

/**
 * Opens one listener over the API's routing; each has an http.Server of its own, and each request is tagged
 * with it.
 *
 * An inherited descriptor may be of either sort: what it is bound to says how its callers are known.
 * Rejects with the error of listen(2), whose `code` is EADDRINUSE, EACCES…
 */
export async function listen(request: ListenRequest): Promise<Listener> {
  const { api, tls } = request;
  const hasCertificates = tls?.now.ca !== undefined;
  let entrance: Entrance = { kind: 'tcp', guard: createGuard([]), hasCertificates };
  const server = openServer(tls, (incoming, response) => {
    api.connections.tag(incoming, entrance);
    api.handle(incoming, response);
  });
  addParserRefusals(server, request.onLimit);
  server.on('drop', () => request.onLimit('connections'));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(request.at, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const bound = server.address();
  entrance =
    typeof bound === 'object' && bound !== null
      ? { kind: 'tcp', guard: guardOf(bound, request), hasCertificates }
      : { kind: 'unix', guard: undefined, hasCertificates: false };
  return {
    address: addressText(bound, request),
    host: typeof bound === 'object' ? bound?.address : undefined,
    close: async (graceMs) => await closeServer(server, graceMs),
  };
}

function openServer(tls: Renewable<TlsTexts> | undefined, onRequest: RequestListener): Server {
  const options: ServerOptions = {
    maxHeaderSize: limits.headerBytesMax,
    requestTimeout: limits.requestTimeoutMs,
    headersTimeout: limits.headersTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: 1000,
    requireHostHeader: false,
    insecureHTTPParser: false,
  };
  const server = tls === undefined ? createServer(options, onRequest) : openTls(tls, options, onRequest);
  server.maxConnections = limits.connectionsMax;
  server.maxRequestsPerSocket = limits.requestsPerSocketMax;
  server.setTimeout(limits.connectionTimeoutMs);
  return server;
}

function openTls(tls: Renewable<TlsTexts>, options: ServerOptions, onRequest: RequestListener): Server {
  const server = createTlsServer({ ...options, ...contextOf(tls.now) }, onRequest);
  server.once(
    'close',
    tls.follow((texts) => server.setSecureContext(contextOf(texts))),
  );
  return server;
}

function contextOf({ cert, key, ca }: TlsTexts) {
  const clients = ca === undefined ? {} : clientCertificates(ca);
  return { cert, key, minVersion: 'TLSv1.2' as const, ...clients };
}

/** Every connection shows its certificate itself: none goes on with the session of another. */
function clientCertificates(ca: string) {
  return { ca, requestCert: true, rejectUnauthorized: true, secureOptions: constants.SSL_OP_NO_TICKET };
}

/** The address that was asked for is a name this listener answers to as well. */
function guardOf(bound: AddressInfo, request: ListenRequest): Guard {
  const host = 'host' in request.at ? request.at.host : undefined;
  const own = [host, bound.address].filter((name) => name !== undefined);
  return createGuard([
    ...own.map((name) => (name.includes(':') ? `[${name}]` : name)),
    ...request.allowHosts,
  ]);
}

/** Node does not tell the path of a unix socket that somebody else has bound. */
function addressText(bound: AddressInfo | string | null, { at, tls }: ListenRequest): string {
  if (bound === null) return `unix:(descriptor ${'fd' in at ? at.fd : 'unknown'})`;
  if (typeof bound === 'string') return `unix:${bound}`;
  const host = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
  return `${tls === undefined ? 'http' : 'https'}://${host}:${bound.port}`;
}

async function closeServer(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(cut);
}
