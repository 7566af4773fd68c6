import type { FastifyReply, FastifyRequest } from 'fastify';
import { parseClusterName } from '../../model/cluster/key.ts';
import { PinfoldError } from '../../model/error.ts';
import type { App, ServiceParts } from '../app.ts';
import { encodedRefusal } from '../body.ts';
import { fleetOf } from '../fleet-query.ts';

/** What a node is told of the caller's request; the caller's credentials stay here. */
const requestHeaders = [
  'accept',
  'content-type',
  'if-match',
  'if-none-match',
  'idempotency-key',
  'last-event-id',
  'x-request-id',
] as const;

/** What the caller is told of the node's answer. */
const answerHeaders = [
  'content-type',
  'content-disposition',
  'etag',
  'location',
  'allow',
  'retry-after',
  'pinfold-operation',
  'idempotent-replayed',
  'x-accel-buffering',
] as const;

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/**
 * `/v1/cluster/nodes/{node}/api/v1/…`: one node's own API, as it is. The node decides what the caller's
 * role may there, so here every role may ask.
 *
 * Bodies are sent on when they are whole, since a signature covers them: what is larger than other bodies may
 * be (a stream of entries) is sent to the node itself.
 */
export function addClusterPassRoute(app: App, parts: ServiceParts): void {
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, (request, body, done) =>
      done(encodedRefusal(request) ?? null, body),
    );
    scope.route({
      url: '/v1/cluster/nodes/:node/api/*',
      method: [...methods],
      exposeHeadRoute: false,
      config: { role: 'viewer', produces: 'any' },
      schema: { hide: true },
      handler: async (request, reply) => await passOn(parts, request, reply),
    });
  });
}

async function passOn(
  parts: ServiceParts,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { node: text } = Object(request.params);
  const node = parseClusterName(String(text));
  const target = targetOf(request.originalUrl);
  const { body } = request;
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  // A wait for a pin is silent for as long as it takes; the node bounds it.
  request.raw.socket.setTimeout(0);
  const answer = await fleetOf(parts).pass(node, {
    method: request.method,
    target,
    caller: request.caller,
    headers: { ...pick(request.headers, requestHeaders), 'x-request-id': request.id },
    ...(Buffer.isBuffer(body) ? { body } : {}),
    signal: gone.signal,
  });
  reply.code(answer.status).headers(pick(answer.headers, answerHeaders)).header('pinfold-node', node);
  return reply.send(answer.body);
}

/**
 * The node's own target, byte for byte as it came. What would lead elsewhere on the way (dots), or to the
 * node's own fleet routes, is refused.
 *
 * @throws PinfoldError not_found
 */
function targetOf(url: string): string {
  const [, target] = /^\/v1\/cluster\/nodes\/[^/?]+\/api(\/v1\/.*)$/s.exec(url) ?? [];
  const path = target?.split('?', 1)[0];
  const isSafe =
    path !== undefined &&
    /^[\x21-\x7e]+$/.test(target ?? '') &&
    !/^\/v1\/cluster(\/|$)/.test(withoutEscapes(path)) &&
    !path.split(/\/|%2f/i).some((name) => /^(\.|%2e){1,2}$/i.test(name));
  if (target !== undefined && isSafe) return target;
  throw new PinfoldError('not_found', {
    detail: 'Below /api/ is the node’s own API: /v1/…, without its fleet.',
  });
}

/** As a router reads it: `%63luster` is the word, too. */
function withoutEscapes(path: string): string {
  return path.replace(/%[0-7][0-9a-f]/gi, (text) => String.fromCharCode(Number.parseInt(text.slice(1), 16)));
}

function pick(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  names: readonly string[],
): Record<string, string> {
  const picked: Record<string, string> = {};
  for (const name of names) {
    const value = headers[name];
    if (typeof value === 'string') picked[name] = value;
  }
  return picked;
}
