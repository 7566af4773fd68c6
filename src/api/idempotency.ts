import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../model/clock.ts';
import { PinfoldError } from '../model/error.ts';
import { limits } from '../model/limits.ts';
import { describeError, type Log } from '../model/log.ts';
import type { IdempotencyRecord, IdempotencyRecords } from '../model/store.ts';
import type { App } from './app.ts';
import { assertComparable } from './body-stream.ts';

const keptHeaders = ['content-type', 'location', 'pinfold-operation', 'etag'] as const;

/** A POST that is being answered for the first time. */
interface FirstTime {
  readonly caller: string;
  readonly key: string;
  readonly requestHash: Uint8Array;
}

/**
 * Answers a POST that carries a known `Idempotency-Key` with what was answered the first time, for a day
 * and by caller.
 *
 * Failures of the server and refusals before anything was tried are not kept: trying again is what they
 * call for.
 * @throws PinfoldError (from its hooks) idempotency_mismatch, conflict, invalid_input
 */
export function addIdempotency(
  app: App,
  store: {
    readonly records: IdempotencyRecords;
    readonly clock: Clock;
    readonly log: Log;
  },
): void {
  const { records, clock, log } = store;
  const inFlight = new Set<string>();
  const firstTimes = new WeakMap<FastifyRequest, FirstTime>();

  const begin = async (request: FastifyRequest, reply: FastifyReply) => {
    const key = keyOf(request);
    if (key === undefined) return;
    assertComparable(request.body);
    const requestHash = hashOf(request);
    const caller = request.caller.actor.replace(/ pid:.*/s, '');
    const slot = JSON.stringify([caller, key]);
    const known = records.find(caller, key);
    if (known !== undefined && !isExpired(known, clock.now())) {
      reply.header('idempotent-replayed', 'true');
      return replay(reply, known, requestHash);
    }
    if (inFlight.has(slot)) {
      throw new PinfoldError('conflict', {
        detail: 'A request with this Idempotency-Key is still being answered.',
      });
    }
    inFlight.add(slot);
    reply.raw.once('close', () => inFlight.delete(slot));
    firstTimes.set(request, { caller, key, requestHash });
  };

  const keep = async (request: FastifyRequest, reply: FastifyReply, payload: unknown) => {
    const first = firstTimes.get(request);
    if (first === undefined || reply.statusCode >= 500 || reply.statusCode === 429) return payload;
    const createdAt = clock.now().toISOString();
    const answer = {
      status: reply.statusCode,
      headers: headersOf(reply),
      body: bodyToKeep(request, payload),
    };
    try {
      records.put({ ...first, ...answer, createdAt });
      records.prune(new Date(clock.now().getTime() - limits.idempotencyKeepMs).toISOString());
    } catch (error) {
      // What was done is done, and the answer must say so even where it cannot be kept.
      log.warn('the answer to an Idempotency-Key could not be kept', { cause: describeError(error) });
    }
    return payload;
  };

  // Only where a key counts: each hook costs every request of a route a turn of its own.
  app.addHook('onRoute', (route) => {
    if (route.method !== 'POST' || route.config?.isQuestion === true) return;
    route.preHandler = [...[route.preHandler ?? []].flat(), begin];
    route.onSend = [...[route.onSend ?? []].flat(), keep];
  });
}

function keyOf(request: FastifyRequest): string | undefined {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key === 'string' && key !== '' && key.length <= limits.idempotencyKeyCharsMax) return key;
  throw new PinfoldError('invalid_input', {
    detail: `An Idempotency-Key has 1 to ${limits.idempotencyKeyCharsMax} characters.`,
    errors: [{ pointer: '/headers/idempotency-key', detail: 'is empty or too long' }],
  });
}

function hashOf(request: FastifyRequest): Uint8Array {
  const told = [
    request.method,
    request.originalUrl,
    request.headers['if-match'] ?? null,
    request.body ?? null,
  ];
  return createHash('sha256').update(JSON.stringify(told)).digest();
}

function isExpired(record: IdempotencyRecord, now: Date): boolean {
  return now.getTime() - Date.parse(record.createdAt) > limits.idempotencyKeepMs;
}

function replay(reply: FastifyReply, known: IdempotencyRecord, requestHash: Uint8Array): FastifyReply {
  if (Buffer.compare(known.requestHash, requestHash) !== 0) {
    throw new PinfoldError('idempotency_mismatch', {
      detail: 'This Idempotency-Key came with another request before.',
    });
  }
  if (known.body === '' && known.status !== 204) {
    const operation = known.headers['pinfold-operation'];
    throw new PinfoldError('conflict', {
      detail: 'This was carried out already; its answer was too long to be kept.',
      ...(operation === undefined ? {} : { operation_id: operation }),
    });
  }
  return reply.code(known.status).headers(known.headers).send(known.body);
}

function headersOf(reply: FastifyReply): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of keptHeaders) {
    const value = reply.getHeader(name);
    if (value !== undefined) kept[name] = String(value);
  }
  return kept;
}

/** The answer without what must never be written down, or nothing where it is too long. */
function bodyToKeep(request: FastifyRequest, payload: unknown): string {
  if (typeof payload !== 'string' || Buffer.byteLength(payload) > limits.idempotencyBodyBytesMax) return '';
  const { secrets } = request.routeOptions.config;
  if (secrets === undefined) return payload;
  return JSON.stringify(JSON.parse(payload), (name, value: unknown) =>
    secrets.includes(name) ? null : value,
  );
}
