import type { RouteOptions } from 'fastify';
import { PinfoldError } from '../model/error.ts';
import type { App } from './app.ts';

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY'] as const;

/**
 * Answers 405 with Allow where a resource is there but not for this method (RFC 9110, 15.5.6).
 *
 * Called when all routes are known: each URL gets its missing methods. OPTIONS is among them, since there
 * is no CORS.
 */
export function addMethodNotAllowed(app: App, routes: readonly RouteOptions[]): void {
  const allowed = new Map<string, Set<string>>();
  for (const { url, method } of routes) {
    const known = allowed.get(url) ?? new Set();
    for (const one of [method].flat()) known.add(one);
    allowed.set(url, known);
  }
  for (const [url, known] of allowed) {
    const missing = methods.filter((method) => !known.has(method));
    const allow = methods.filter((method) => known.has(method)).join(', ');
    app.route({
      url,
      method: missing,
      schema: { hide: true },
      config: { role: 'viewer', produces: 'any' },
      onRequest: async (request, reply) => {
        reply.header('allow', allow);
        throw new PinfoldError('method_not_allowed', { detail: `${request.method} is not among ${allow}.` });
      },
      handler: async () => undefined,
    });
  }
}
