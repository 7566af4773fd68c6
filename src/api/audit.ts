import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Log } from '../model/log.ts';

const safeMethods: readonly string[] = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY'];

/**
 * Writes one line for each request that would change something, whether it was carried out or refused: who,
 * what, when, and what it came to. History (`/v1/events`) tells what changed; this tells who tried.
 */
export function audit(log: Log, request: FastifyRequest, reply: FastifyReply): void {
  if (safeMethods.includes(request.method)) return;
  log.info('audit', {
    actor: request.caller.actor,
    role: request.caller.role,
    method: request.method,
    route: request.terms.url ?? null,
    target: request.originalUrl.split('?', 1)[0],
    status: reply.statusCode,
    operation_id: reply.getHeader('pinfold-operation') ?? null,
    request_id: request.id,
  });
}
