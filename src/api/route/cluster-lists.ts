import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type TSchema, Type } from 'typebox';
import type { FleetPosition } from '../../cluster/fan-out/list.ts';
import type { FleetQuestion } from '../../cluster/fleet.ts';
import { isClusterName } from '../../model/cluster/key.ts';
import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import { isRecord } from '../../model/record.ts';
import { Unreachable } from '../../model/schema/cluster.ts';
import { Time } from '../../model/schema/common.ts';
import { FindingDocument } from '../../model/schema/finding.ts';
import { BtfDocument, LinkDocument, MapDocument, ProgramDocument } from '../../model/schema/object.ts';
import { PinDocument } from '../../model/schema/pin.ts';
import { answers, list } from '../answers.ts';
import type { App, ServiceParts } from '../app.ts';
import { deadlineOf, deadlineQuery, fleetOf, nodeChoiceOf, nodeChoiceQuery } from '../fleet-query.ts';
import { createCursor } from '../list.ts';
import { FindingsQuery } from './findings.ts';
import { KindQuery, ObjectsQuery } from './objects.ts';
import { PinsQuery } from './pins.ts';

/** A list that every node has. */
interface FleetList {
  /** The collection in the URL, of the fleet and of a node. */
  readonly plural: string;
  readonly summary: string;
  readonly query: { readonly properties: Readonly<Record<string, TSchema>> };
  readonly item: TSchema;
}

const lists: readonly FleetList[] = [
  { plural: 'pins', summary: 'Pins of all nodes', query: PinsQuery, item: PinDocument },
  {
    plural: 'objects',
    summary: 'Objects of all kinds of all nodes',
    query: ObjectsQuery,
    item: Type.Union([MapDocument, ProgramDocument, LinkDocument, BtfDocument]),
  },
  { plural: 'maps', summary: 'Maps of all nodes', query: KindQuery, item: MapDocument },
  { plural: 'programs', summary: 'Programs of all nodes', query: KindQuery, item: ProgramDocument },
  { plural: 'links', summary: 'Links of all nodes', query: KindQuery, item: LinkDocument },
  { plural: 'findings', summary: 'Findings of all nodes', query: FindingsQuery, item: FindingDocument },
];

/** What every node has, asked of all of them. */
export function addClusterListRoutes(app: App, parts: ServiceParts): void {
  for (const one of lists) addFleetList(app, parts, one);
}

function addFleetList(app: App, parts: ServiceParts, { plural, summary, query, item }: FleetList): void {
  const title = plural[0]?.toUpperCase() + plural.slice(1);
  app.get(`/v1/cluster/${plural}`, {
    config: { role: 'viewer', produces: ['application/json', 'application/x-ndjson'] },
    schema: {
      operationId: `listFleet${title}`,
      summary,
      tags: ['fleet'],
      querystring: Type.Object(
        { ...query.properties, ...nodeChoiceQuery, ...deadlineQuery },
        { additionalProperties: false },
      ),
      response: answers({
        200: list('By node, and within a node as it lists them; streamed, as nodes answer.', pageOf(item)),
      }),
    },
    handler: async (request, reply) => await sendFleetList(parts, request, reply, `/v1/${plural}`),
  });
}

function pageOf(item: TSchema) {
  return Type.Object({
    items: Type.Array(Type.Intersect([Type.Object({ node: Type.String() }), item])),
    next_cursor: Type.Union([Type.String(), Type.Null()]),
    complete: Type.Boolean({ description: 'whether every node that was to be asked has answered' }),
    unreachable: Type.Array(Unreachable),
    reason: Type.Optional(Type.String({ description: 'why not all nodes may be known' })),
    observed_at: Time,
  });
}

/** Answers a list of the fleet: a page, or all of it as it comes. */
async function sendFleetList(
  parts: ServiceParts,
  request: FastifyRequest,
  reply: FastifyReply,
  path: string,
): Promise<unknown> {
  const fleet = fleetOf(parts);
  const { limit, cursor: given, ...filters }: Readonly<Record<string, unknown>> = Object(request.query);
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  const question: FleetQuestion = {
    path,
    query: forwardedQuery(filters),
    caller: request.caller,
    deadlineMs: deadlineOf(filters),
    signal: gone.signal,
    ...nodeChoiceOf(filters),
  };
  if (request.media === 'application/x-ndjson') return sendStream(parts, reply, question, { limit, given });
  const cursor = createCursor(request);
  const from = parsePosition(cursor.parse(typeof given === 'string' ? given : undefined));
  const most = typeof limit === 'number' ? limit : limits.pageItemsDefault;
  const { items, next, unreachable } = await fleet.page(question, { limit: most, from });
  const { trouble } = fleet;
  return {
    items,
    next_cursor: cursor.format(next === undefined ? undefined : JSON.stringify(next)),
    complete: unreachable.length === 0 && trouble === undefined,
    unreachable,
    ...(trouble === undefined ? {} : { reason: trouble }),
    observed_at: parts.clock.now().toISOString(),
  };
}

/** What nodes are asked with: the filters as they came, without what is for the manager. */
export function forwardedQuery(filters: Readonly<Record<string, unknown>>): URLSearchParams {
  const { node: _, selector: __, deadline: ___, ...forNodes } = filters;
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(forNodes)) {
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    for (const one of values) query.append(name, String(one));
  }
  return query;
}

function sendStream(
  parts: ServiceParts,
  reply: FastifyReply,
  question: FleetQuestion,
  { limit, given }: { readonly limit: unknown; readonly given: unknown },
): FastifyReply {
  if (limit !== undefined || given !== undefined) {
    throw new PinfoldError('invalid_input', {
      detail: 'limit and cursor are for pages: a stream of the fleet gives everything, as nodes answer.',
    });
  }
  const fleet = fleetOf(parts);
  const items = fleet.stream(question);
  const release = parts.streams.take();
  const stream = Readable.from(
    linesOf(items, () => fleet.trouble),
    { objectMode: false },
  );
  stream.once('close', release);
  return reply.type('application/x-ndjson').send(stream);
}

async function* linesOf(
  batches: ReturnType<ReturnType<typeof fleetOf>['stream']>,
  trouble: () => string | undefined,
): AsyncGenerator<Buffer, void, undefined> {
  for (;;) {
    const step = await batches.next();
    if (step.done === true) {
      const reason = trouble();
      const summary = {
        ...step.value,
        complete: step.value.complete && reason === undefined,
        ...(reason === undefined ? {} : { reason }),
      };
      yield Buffer.from(`${JSON.stringify({ summary })}\n`);
      return;
    }
    yield step.value;
  }
}

/** Reads what a page gave as its end. @throws PinfoldError bad_cursor */
function parsePosition(text: string | undefined): FleetPosition | undefined {
  if (text === undefined) return undefined;
  try {
    const json: unknown = JSON.parse(text);
    const { node, after } = isRecord(json) ? json : {};
    const isPlace =
      after === undefined || (typeof after === 'string' && after.length <= limits.cursorCharsMax);
    if (typeof node === 'string' && isClusterName(node) && isPlace) {
      const position = { node, after };
      if (JSON.stringify(position) === text) return position;
    }
  } catch (error) {
    throw new PinfoldError('bad_cursor', {}, error);
  }
  throw new PinfoldError('bad_cursor');
}
