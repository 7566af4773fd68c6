import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Observed } from '../../agent/agent.ts';
import type { Dump, ReadText } from '../../agent/reads/entries.ts';
import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import {
  type EntryChoice,
  EntryCount,
  EntryDocument,
  EntryPage,
  PeekDocument,
} from '../../model/schema/entry.ts';
import { answers, json, list, tagged } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { type ChoiceQueryValues, choiceOf, choiceQuery, HexParams, keyQuery, parseKey } from '../choice.ts';
import { sendPieces } from '../lent-pieces.ts';
import { createCursor, pageQuery } from '../list.ts';
import { IdParams, NoQuery } from '../params.ts';

const ChoiceQuery = Type.Object(choiceQuery, { additionalProperties: false });
const EntriesQuery = Type.Object(
  {
    ...pageQuery,
    ...choiceQuery,
    follow: Type.Optional(
      Type.Boolean({ description: 'put the entries of inner maps into the stream of a map of maps' }),
    ),
  },
  { additionalProperties: false },
);
const EntryQuery = Type.Object({ ...choiceQuery, ...keyQuery }, { additionalProperties: false });

/** What is in a map: `/v1/maps/{id}/entries`, single entries, how many, and the head of a queue. */
export function addEntryRoutes(app: App, parts: Parts): void {
  addList(app, parts);
  addSingles(app, parts);
  addCount(app, parts);
}

function addList(app: App, parts: Parts): void {
  app.get('/v1/maps/:id/entries', {
    config: { role: 'reader', produces: ['application/json', 'application/x-ndjson'] },
    handlerTimeout: limits.handlerTimeoutMs,
    // A HEAD would read the whole map to say nothing.
    exposeHeadRoute: false,
    schema: {
      operationId: 'listMapEntries',
      summary: 'The entries of a map, a page or all of them',
      tags: ['objects'],
      params: IdParams,
      querystring: EntriesQuery,
      response: answers({ 200: list('Entries, in the order of the kernel.', EntryPage) }),
    },
    handler: async (request, reply) => {
      const { follow = false } = request.query;
      if (request.media === 'application/x-ndjson') return await sendDump(parts, request, reply);
      if (!follow) return await sendPage(parts, request, reply);
      throw new PinfoldError('invalid_input', {
        detail: 'follow goes with the stream: ask for it with Accept: application/x-ndjson.',
        errors: [{ pointer: '/query/follow', detail: 'needs Accept: application/x-ndjson' }],
      });
    },
  });
}

function addSingles(app: App, parts: Parts): void {
  const single = {
    config: { role: 'reader' },
    handlerTimeout: limits.handlerTimeoutMs,
  } as const;
  const shared = { tags: ['objects'], response: answers({ 200: tagged('The entry.', EntryDocument) }) };
  app.get('/v1/maps/:id/entries/:hex', {
    ...single,
    schema: {
      ...shared,
      operationId: 'getMapEntry',
      summary: 'One entry, by the bytes of its key',
      params: HexParams,
      querystring: ChoiceQuery,
    },
    handler: async (request, reply) => {
      const { id, hex } = request.params;
      const choice = choiceOf(request.query);
      return sendText(reply, await parts.agent.entries.entry(Number(id), choice, { hex }));
    },
  });
  app.get('/v1/maps/:id/entry', {
    ...single,
    schema: {
      ...shared,
      operationId: 'getMapEntryByTypedKey',
      summary: 'One entry, by its key as JSON',
      params: IdParams,
      querystring: EntryQuery,
    },
    handler: async (request, reply) => {
      const { key, ...query } = request.query;
      // A typed key wants a typed answer, whatever the map's usual format is.
      const choice: EntryChoice = { format: 'typed', ...choiceOf(query) };
      const json = parseKey(key);
      return sendText(reply, await parts.agent.entries.entry(Number(request.params.id), choice, { json }));
    },
  });
}

function addCount(app: App, { agent }: Parts): void {
  app.get('/v1/maps/:id/count', {
    config: { role: 'reader' },
    handlerTimeout: limits.handlerTimeoutMs,
    schema: {
      operationId: 'countMapEntries',
      summary: 'How many entries a map has',
      tags: ['objects'],
      params: IdParams,
      querystring: NoQuery,
      response: answers({ 200: json('The number.', EntryCount) }),
    },
    handler: async (request): Promise<EntryCount> => {
      const { value, observedAt } = await agent.entries.count(Number(request.params.id));
      const { count, method, complete, consistency, maxEntries } = value;
      return {
        count,
        method,
        max_entries: maxEntries,
        complete,
        consistency,
        observed_at: observedAt.toISOString(),
      };
    },
  });
  app.get('/v1/maps/:id/peek', {
    config: { role: 'reader' },
    handlerTimeout: limits.handlerTimeoutMs,
    schema: {
      operationId: 'peekMap',
      summary: 'The head of a queue or stack, which stays there',
      tags: ['objects'],
      params: IdParams,
      querystring: ChoiceQuery,
      response: answers({ 200: json('The head.', PeekDocument) }),
    },
    handler: async (request, reply) => {
      const head = await agent.entries.peek(Number(request.params.id), choiceOf(request.query));
      reply.type('application/json');
      const observedAt = JSON.stringify(head.observedAt.toISOString());
      return Buffer.from(`{"value":${head.value.text},"observed_at":${observedAt}}`);
    },
  });
}

interface EntriesQueryValues extends ChoiceQueryValues {
  readonly limit?: number;
  readonly cursor?: string;
  readonly follow?: boolean;
}

async function sendPage({ agent }: Parts, request: FastifyRequest, reply: FastifyReply): Promise<Buffer> {
  const query: EntriesQueryValues = Object(request.query);
  const cursor = createCursor(request);
  const slice = { after: cursor.parse(query.cursor), limit: query.limit ?? limits.pageItemsDefault };
  const { value, observedAt } = await agent.entries.page(mapIdOf(request), choiceOf(query), slice);
  const tail = JSON.stringify({
    next_cursor: cursor.format(value.summary.next),
    observed_at: observedAt.toISOString(),
    consistency: value.summary.consistency,
  });
  reply.type('application/json');
  return Buffer.concat([Buffer.from('{"items":['), value.text, Buffer.from(`],${tail.slice(1)}`)]);
}

async function sendDump(
  { agent }: Parts,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const query: EntriesQueryValues = Object(request.query);
  const cursor = createCursor(request);
  const { limit, follow = false } = query;
  const options = { after: cursor.parse(query.cursor), limit, follow };
  const { value: dump, observedAt } = await agent.entries.dump(mapIdOf(request), choiceOf(query), options);
  reply.type('application/x-ndjson');
  // Where the client has gone before the first piece was asked for, the generator never began.
  dump.onCut(() => reply.raw.destroy());
  return sendPieces(reply, withSummary(dump, cursor.format, observedAt), () => dump.cancel());
}

async function* withSummary(
  dump: Dump,
  formatCursor: (position: string | undefined) => string | null,
  observedAt: Date,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { next, ...summary } = yield* dump.pieces;
  const last = { ...summary, next_cursor: formatCursor(next), observed_at: observedAt.toISOString() };
  yield Buffer.from(`${JSON.stringify({ summary: last })}\n`);
}

function sendText(reply: FastifyReply, { value }: Observed<ReadText>): Buffer {
  reply.type('application/json');
  if (value.summary.etag !== undefined) reply.header('etag', value.summary.etag);
  return value.text;
}

function mapIdOf(request: FastifyRequest): number {
  return Number(Object(request.params).id);
}
