import type { RouteOptions } from 'fastify';
import { PinfoldError } from '../model/error.ts';
import { isRecord } from '../model/record.ts';
import type { App } from './app.ts';

const changing: readonly unknown[] = ['POST', 'PUT', 'PATCH', 'DELETE'];
const conditions = ['if-match', 'if-none-match'] as const;

/**
 * Refuses a change that asks for a condition which its route does not compare: carried out without it, it
 * could cost just what the condition was to protect. Routes that do compare declare the headers.
 *
 * What is passed on to a node, whatever its method, is for the node to judge.
 * @throws PinfoldError (from its hook) invalid_input
 */
export function addConditions(app: App): void {
  app.addHook('onRoute', (route) => {
    if (!changing.includes(route.method) || route.config?.isQuestion === true || compares(route)) return;
    const assertNone: NonNullable<typeof route.onRequest> = (request, _reply, done) => {
      const [header] = conditions.filter((name) => request.headers[name] !== undefined);
      done(header === undefined ? undefined : notCompared(header));
    };
    route.onRequest = [...[route.onRequest ?? []].flat(), assertNone];
  });
}

/**
 * Refuses a change with a body where its route takes none: what that asks for (`dry_run`, a condition) would
 * be passed over, and the change carried out all the same. What is passed on to a node is for the node to
 * judge.
 *
 * @throws PinfoldError (from its hook) invalid_input
 */
export function addNoBody(app: App): void {
  app.addHook('onRoute', (route) => {
    const takesOne = route.schema?.body !== undefined || route.config?.produces === 'any';
    if (!changing.includes(route.method) || takesOne) return;
    const assertNone: NonNullable<typeof route.onRequest> = ({ body }, _reply, done) =>
      done(isNothing(body) ? undefined : notTaken());
    route.preValidation = [...[route.preValidation ?? []].flat(), assertNone];
  });
}

function isNothing(body: unknown): boolean {
  return body === undefined || (isRecord(body) && Object.keys(body).length === 0);
}

function notTaken(): PinfoldError {
  return new PinfoldError('invalid_input', {
    detail: 'This request takes no body, or {}; nothing was done.',
    errors: [{ pointer: '/body', detail: 'must be empty, or {}' }],
  });
}

function compares({ schema }: RouteOptions): boolean {
  const { properties } = Object(schema?.headers);
  return 'if-match' in Object(properties);
}

function notCompared(header: (typeof conditions)[number]): PinfoldError {
  return new PinfoldError('invalid_input', {
    detail:
      'This request compares no entity tags, so nothing was done; ' +
      'each operation of POST /v1/batch has "if_match" of its own.',
    errors: [{ pointer: `/headers/${header}`, detail: 'is not understood here' }],
  });
}
