import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import swagger from '@fastify/swagger';
import fastify, { type FastifyReply, type FastifyRequest, type RouteOptions } from 'fastify';
import type { RouteMetrics } from '../metrics/http.ts';
import { PinfoldError } from '../model/error.ts';
import { limits } from '../model/limits.ts';
import { describeError } from '../model/log.ts';
import type { PeerReader } from '../model/peer.ts';
import type { Role } from '../model/role.ts';
import { type App, hasNode, type Parts, type ServiceParts } from './app.ts';
import { audit } from './audit.ts';
import { Authenticator, assertMay, type Gate, type LocalRoles, nobody } from './auth.ts';
import { acceptJsonOnly, assertBodyComes } from './body.ts';
import { addConditions, addNoBody } from './conditions.ts';
import { Connections } from './connection.ts';
import { addIdempotency } from './idempotency.ts';
import { addMethodNotAllowed } from './methods.ts';
import { jsonOnly, negotiate } from './negotiate.ts';
import { openapiOptions } from './openapi.ts';
import { asPinfoldError, limitOf, problemOf, problemType } from './problem.ts';
import { addRoutes } from './route/routes.ts';
import { hostOf, rewriteTarget } from './target.ts';
import { compileValidator } from './validate.ts';

/** The status that nginx gives to those who hung up before they were answered; nobody is sent it. */
const notWaitedFor = 499;

/** The API without a socket: what listeners hand their requests to. */
export interface Api {
  readonly app: App;
  readonly connections: Connections;
  /** From now on every new request is refused with 503; those that run are finished. */
  stopServing(): void;
  handle(request: IncomingMessage, response: ServerResponse): void;
}

/** What the API is made of; the routes get `parts`. */
export interface ApiOptions {
  /** With those of a node, or without: then the routes of a node are not there. */
  readonly parts: ServiceParts | Parts;
  readonly peers: PeerReader;
  readonly localRoles: LocalRoles;
  /** Accepts what managers ask for their callers; undefined where there are none. */
  readonly gate?: Gate | undefined;
  /** No caller of the fleet has more than this role at the routes of this process's own node. */
  readonly fleetRoleMax: Role;
  readonly version: string;
}

/**
 * Builds the routing with its hooks, in the order in which a request meets them: guard, caller, media type,
 * body, validation, idempotency, handler.
 *
 * @throws AssertionError where a route declares no role
 */
export async function createApi(options: ApiOptions): Promise<Api> {
  const { parts, version } = options;
  const connections = new Connections(options.peers);
  const auth = authenticatorOf(options, connections);
  const app = createApp();
  const routes: RouteOptions[] = [];
  const measure = measuring(parts);
  let isServing = true;

  app.decorateRequest('caller');
  app.decorateRequest('terms');
  app.decorateRequest('signedBody');
  app.decorateRequest('media', jsonOnly[0]);
  app.addHook('onRoute', (route) => void routes.push(route));
  app.addHook('onRequest', (request, reply, done) => {
    let refusal: PinfoldError | undefined;
    const beganMs = parts.clock.monotonicMs();
    parts.metrics.http.started();
    request.caller = nobody;
    request.terms = request.routeOptions.config;
    // Once for each answer, also for one that nobody waited for; hooks of Fastify would cost two listeners.
    reply.raw.on('close', () => {
      if (!reply.raw.headersSent) reply.code(notWaitedFor);
      measure(request, reply, (parts.clock.monotonicMs() - beganMs) / 1000);
      audit(parts.log, request, reply);
    });
    reply
      .header('cache-control', 'no-store')
      .header('x-content-type-options', 'nosniff')
      .header('cross-origin-resource-policy', 'same-origin')
      .header('x-request-id', request.id);
    try {
      if (!isServing) throw new PinfoldError('not_ready', { detail: 'This process is stopping.' });
      admit(request, connections, auth);
    } catch (error) {
      refusal = asPinfoldError(error);
    }
    done(refusal);
  });
  addRefusals(app, parts);
  acceptJsonOnly(app);
  addConditions(app);
  addNoBody(app);
  addIdempotency(app, { records: parts.idempotency, clock: parts.clock, log: parts.log });
  await app.register(
    swagger,
    openapiOptions(version, hasNode(parts) ? 'Pinfold node agent' : 'Pinfold manager'),
  );
  await addRoutes(app, parts);
  addMethodNotAllowed(
    app,
    routes.filter((route) => route.config?.produces !== 'any'),
  );
  await app.ready();
  assertRoles(routes);
  return {
    app,
    connections,
    stopServing: () => {
      isServing = false;
      if (hasNode(parts)) parts.agent.waits.release();
      parts.streams.endAll();
    },
    handle: (request, response) => app.routing(request, response),
  };
}

function authenticatorOf(options: ApiOptions, connections: Connections): Authenticator {
  const { parts, fleetRoleMax, gate, localRoles: local } = options;
  const tokens = hasNode(parts) ? parts.tokens : undefined;
  const fleet = parts.fleetTokens;
  return new Authenticator({ tokens, fleet, fleetRoleMax, clock: parts.clock, local, connections, gate });
}

/** Fastify insists on a server of its own; this one never listens, `listener.ts` makes those that do. */
function createApp(): App {
  return fastify({
    serverFactory: (handler) => createServer((request, response) => handler(request, response)),
    rewriteUrl: (request) => rewriteTarget(request.url ?? '/'),
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: limits.requestTimeoutMs,
    connectionTimeout: limits.connectionTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    routerOptions: { maxParamLength: 4 * limits.headerBytesMax, caseSensitive: true },
    genReqId: requestIds(),
    return503OnClosing: false,
    exposeHeadRoutes: true,
    frameworkErrors: (error, request, reply) => void refuse(error, request, reply),
  })
    .setValidatorCompiler(compileValidator)
    .setSerializerCompiler(() => JSON.stringify)
    .setReplySerializer((payload) => JSON.stringify(payload))
    .withTypeProvider();
}

/** Takes the caller's name of a request, or counts on from a random one: cheaper than one for each. */
function requestIds(): (request: IncomingMessage) => string {
  const prefix = randomBytes(9).toString('base64url');
  let count = 0;
  return ({ headers }) => {
    const sent = headers['x-request-id'];
    if (typeof sent === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(sent)) return sent;
    return `${prefix}-${++count}`;
  };
}

/** Everything that is decided from the head of a request. */
function admit(request: FastifyRequest, connections: Connections, auth: Authenticator): void {
  if (request.originalUrl.length > limits.urlBytesMax) {
    throw new PinfoldError('uri_too_long', { detail: `A URL has at most ${limits.urlBytesMax} bytes.` });
  }
  if (request.headers.host === undefined && request.raw.httpVersionMinor === 1) {
    throw new PinfoldError('bad_request', { detail: 'HTTP/1.1 wants a Host header.' });
  }
  assertOneHost(request.raw);
  const host = hostOf(request.originalUrl, request.headers.host);
  connections.entranceOf(request.raw)?.guard?.(request.headers, host);
  const { role = 'viewer', produces = jsonOnly } = request.terms;
  if (role !== 'open') {
    const vouched = auth.vouched(request.raw, request.originalUrl);
    request.caller = vouched?.caller ?? auth.identify(request.raw, isOfFleet(request));
    request.signedBody = vouched?.bodyHash;
    assertBodyComes(request);
    assertMay(request.caller, role);
  }
  assertQueryIsText(request.originalUrl);
  if (produces !== 'any' && !request.is404) request.media = negotiate(request.headers.accept, produces);
}

/** Node keeps the first of two, and others may have gone by the second. @throws PinfoldError bad_request */
function assertOneHost({ rawHeaders }: IncomingMessage): void {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.length === 4 && rawHeaders[at]?.toLowerCase() === 'host') count++;
  }
  if (count > 1) throw new PinfoldError('bad_request', { detail: 'There is more than one Host header.' });
}

/** Whether a route is the fleet's, and not this node's own. */
function isOfFleet({ terms }: FastifyRequest): boolean {
  return terms.url?.startsWith('/v1/cluster/') === true;
}

/** Query values are text; a path whose bytes are not has members of its own (`prefix_bytes`). */
function assertQueryIsText(url: string): void {
  const query = url.slice(url.indexOf('?') + 1);
  if (query.length === url.length || !query.includes('%')) return;
  try {
    decodeURIComponent(query);
  } catch (error) {
    throw new PinfoldError(
      'bad_request',
      { detail: 'The query has percent escapes that are not UTF-8.' },
      error,
    );
  }
}

/** Counts an answer and the time it took, by the template of its route. */
function measuring({ metrics: { http } }: ServiceParts) {
  const routes = new Map<string, RouteMetrics>();
  return (request: FastifyRequest, reply: FastifyReply, seconds: number): void => {
    const { url = '' } = request.terms;
    let route = routes.get(url);
    if (route === undefined) {
      route = http.route(url === '' ? 'unmatched' : url.replaceAll(/:(\w+)/g, '{$1}'));
      routes.set(url, route);
    }
    route.answered(request.method, reply.statusCode, seconds);
  };
}

function addRefusals(app: App, parts: ServiceParts): void {
  app.setNotFoundHandler(() => {
    throw new PinfoldError('not_found', { detail: 'Nothing is served at this URL.' });
  });
  app.setErrorHandler((thrown, request, reply) => {
    const error = refuse(thrown, request, reply);
    if (error.code === 'internal') {
      parts.log.error('a request failed in a way nobody foresaw', {
        request_id: request.id,
        method: request.method,
        route: request.routeOptions.url,
        cause: describeError(thrown),
      });
    }
    const limit = limitOf(error);
    if (limit !== undefined) parts.metrics.limitHit(limit);
  });
}

function refuse(thrown: unknown, request: FastifyRequest, reply: FastifyReply): PinfoldError {
  const error = asPinfoldError(thrown);
  const problem = problemOf(error, request.id);
  reply.code(problem.status).headers(problem.headers).type(problemType).send(JSON.stringify(problem.body));
  return error;
}

/** Deny by default: nothing is served that does not say to whom. @throws Error that names the routes */
export function assertRoles(routes: readonly RouteOptions[]): void {
  const open = routes.filter((route) => route.config?.role === undefined);
  if (open.length === 0) return;
  const names = open.map(({ method, url }) => `${String(method)} ${url}`);
  throw new Error(`These routes declare no role: ${names.join(', ')}.`);
}
