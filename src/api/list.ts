import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Observed, Page, Slice } from '../agent/agent.ts';
import { PinfoldError } from '../model/error.ts';
import { limits } from '../model/limits.ts';
import type { Parts, ServiceParts } from './app.ts';
import { type Batches, streamLines } from './ndjson.ts';

/** The query members every list has. */
export const pageQuery = {
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: limits.pageItemsMax,
      description: `items of a page, ${limits.pageItemsDefault} unless told; of the stream with NDJSON`,
    }),
  ),
  cursor: Type.Optional(
    Type.String({ minLength: 1, maxLength: 16_384, description: '`next_cursor` of the page before' }),
  ),
};

/** For lists of what the kernel shows: read it now, instead of answering from the last observation. */
export const freshQuery = {
  fresh: Type.Optional(Type.Boolean({ description: 'observe first, then answer' })),
};

/** The members of a list's query that say which part of it is wanted. */
export interface PageQuery {
  readonly limit?: number;
  readonly cursor?: string;
  readonly fresh?: boolean;
}

/** Gives one slice of the list that a request filters. */
export type PageReader<Item> = (slice: Slice) => Observed<Page<Item>>;

/**
 * Answers a list as one page, or as a stream of all of it where NDJSON was asked for.
 *
 * Waits for nothing but a fresh observation: a promise would cost a page another turn of the event loop.
 * @throws PinfoldError bad_cursor, not_ready, too_many_requests
 */
export function sendList<Item>(
  parts: Parts,
  request: FastifyRequest,
  reply: FastifyReply,
  read: PageReader<Item>,
): unknown {
  assertObserved(parts);
  const query: PageQuery = Object(request.query);
  const answer = () =>
    request.media === 'application/x-ndjson'
      ? streamOf({ parts, request, reply, query, read })
      : pageOf(request, query, read);
  return query.fresh === true ? refreshInTime(parts).then(answer) : answer();
}

/**
 * The same for lists that no observation stands behind: what this process itself keeps.
 *
 * @throws PinfoldError bad_cursor, too_many_requests
 */
export function sendItems<Item>(
  parts: Pick<ServiceParts, 'streams'>,
  request: FastifyRequest,
  reply: FastifyReply,
  read: PageReader<Item>,
): unknown {
  const query: PageQuery = Object(request.query);
  return request.media === 'application/x-ndjson'
    ? streamOf({ parts, request, reply, query, read })
    : pageOf(request, query, read);
}

function pageOf<Item>(request: FastifyRequest, query: PageQuery, read: PageReader<Item>) {
  const { cursor: position, limit = limits.pageItemsDefault } = query;
  const cursor = createCursor(request);
  const { value, observedAt } = read({ after: cursor.parse(position), limit });
  return pageDocument(value.items, {
    next_cursor: cursor.format(value.next),
    observedAt,
    total: value.total,
    ...(value.about === undefined ? {} : { about: value.about }),
  });
}

/** A page as it is sent. */
export function pageDocument<Item>(
  items: readonly Item[],
  of: {
    readonly next_cursor: string | null;
    readonly observedAt: Date;
    readonly total: number;
    readonly about?: Readonly<Record<string, unknown>>;
  },
) {
  const { next_cursor, observedAt, total, about } = of;
  return { items, next_cursor, observed_at: observedAt.toISOString(), total, ...about };
}

function streamOf<Item>(asked: {
  readonly parts: Pick<ServiceParts, 'streams'>;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly query: PageQuery;
  readonly read: PageReader<Item>;
}) {
  const { parts, request, reply, query, read } = asked;
  const { limit: itemsMax = Number.POSITIVE_INFINITY } = query;
  const cursor = createCursor(request);
  const after = cursor.parse(query.cursor);
  const first = read({ after, limit: Math.min(itemsMax, limits.pageItemsDefault) });
  const release = parts.streams.take();
  reply.type('application/x-ndjson');
  return streamLines(batches({ first, read, cursor, itemsMax }), parts.streams, release);
}

/** Observes, but keeps nobody waiting for ever. @throws PinfoldError overloaded */
async function refreshInTime({ agent }: Parts): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new PinfoldError('overloaded', {
      detail: 'The observation takes longer than a request may.',
    });
    timer = setTimeout(() => reject(error), limits.handlerTimeoutMs);
  });
  try {
    await Promise.race([agent.reads.refresh(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Lists before the first full observation would be short of items and not say so. */
function assertObserved(parts: Parts): void {
  const why = parts.agent.notReady();
  if (why !== undefined) throw new PinfoldError('not_ready', { detail: why, retry_after: 1 });
}

function* batches<Item>(stream: {
  readonly first: Observed<Page<Item>>;
  readonly read: PageReader<Item>;
  readonly cursor: Cursor;
  readonly itemsMax: number;
}): Batches<Item> {
  let { value: page } = stream.first;
  let count = 0;
  for (;;) {
    count += page.items.length;
    yield page.items;
    const left = stream.itemsMax - count;
    if (page.next === undefined || left <= 0) break;
    page = stream.read({ after: page.next, limit: Math.min(limits.pageItemsDefault, left) }).value;
  }
  return {
    count,
    complete: page.next === undefined,
    next_cursor: stream.cursor.format(page.next),
    observed_at: stream.first.observedAt.toISOString(),
    // What was said of the first slice holds for all; the last has the last word.
    ...stream.first.value.about,
    ...page.about,
  };
}

/** Turns positions into what clients carry, and back. */
export interface Cursor {
  /** @throws PinfoldError bad_cursor */
  parse(text: string | undefined): string | undefined;
  format(position: string | undefined): string | null;
  /** The same for positions that are bytes. @throws PinfoldError bad_cursor */
  parseBytes(text: string): Buffer;
  formatBytes(position: Buffer): string;
}

/**
 * Positions as clients carry them: bound to the list and its filters, because the position of one list is
 * nonsense in another.
 */
export function createCursor(request: FastifyRequest): Cursor {
  const parseBytes = (text: string): Buffer => {
    const mark = markOf(request);
    const position = Buffer.from(text.slice(mark.length), 'base64url');
    if (text === formatPosition(mark, position)) return position;
    throw new PinfoldError('bad_cursor', {
      detail: 'This cursor belongs to another list, or other filters, or to no list.',
    });
  };
  const formatBytes = (position: Buffer): string => formatPosition(markOf(request), position);
  return {
    parseBytes,
    formatBytes,
    parse: (text) => (text === undefined ? undefined : parseBytes(text).toString('utf8')),
    format: (position) => (position === undefined ? null : formatBytes(Buffer.from(position, 'utf8'))),
  };
}

/** Says in a few characters which list with which filters this is. */
function markOf(request: FastifyRequest): string {
  const { cursor: _, limit: __, fresh: ___, ...filters } = Object(request.query);
  const { url = '' } = request.routeOptions;
  const list = `${url}?${JSON.stringify(filters)}${JSON.stringify(request.params ?? {})}`;
  return createHash('sha256').update(list).digest('base64url').slice(0, 8);
}

function formatPosition(mark: string, position: Buffer): string {
  return `${mark}${position.toString('base64url')}`;
}
