import type { Log } from '../model/log.ts';
import type { App } from './app.ts';

const safeMethods: readonly string[] = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY'];

/**
 * Writes one line for each request that would change something, whether it was carried out or refused: who,
 * what, when, and what it came to. History (`/v1/events`) tells what changed; this tells who tried.
 */
export function addAudit(app: App, log: Log): void {
  app.addHook('onResponse', (request, reply, done) => {
    if (!safeMethods.includes(request.method)) {
      log.info('audit', {
        actor: request.caller.actor,
        role: request.caller.role,
        method: request.method,
        route: request.routeOptions.url ?? null,
        target: request.originalUrl.split('?', 1)[0],
        status: reply.statusCode,
        operation_id: reply.getHeader('pinfold-operation') ?? null,
        request_id: request.id,
      });
    }
    done();
  });
}
