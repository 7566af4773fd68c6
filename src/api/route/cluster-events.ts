import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { pause } from '../../cluster/backoff.ts';
import { asAsked, type FleetPlaces, formatPlaces, parsePlaces } from '../../cluster/fan-out/places.ts';
import type { Fleet, FleetQuestion } from '../../cluster/fleet.ts';
import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import { Unreachable } from '../../model/schema/cluster.ts';
import { Time } from '../../model/schema/common.ts';
import { EventDocument } from '../../model/schema/event.ts';
import { answers } from '../answers.ts';
import type { App, ServiceParts } from '../app.ts';
import { EventGap } from '../event-gap.ts';
import { deadlineOf, deadlineQuery, fleetOf, nodeChoiceOf, nodeChoiceQuery } from '../fleet-query.ts';
import { type Cursor, createCursor } from '../list.ts';
import { eventStreamType } from '../sse.ts';
import { forwardedQuery } from './cluster-lists.ts';
import { EventsQuery } from './events.ts';

const FleetEventsQuery = Type.Object(
  { ...EventsQuery.properties, ...nodeChoiceQuery, ...deadlineQuery },
  { additionalProperties: false },
);

const page = Type.Object({
  items: Type.Array(EventDocument),
  next_cursor: Type.Union([Type.String(), Type.Null()], { description: 'null where there is no more now' }),
  resume: Type.String({ description: 'a cursor for what is to come; also the `id` of a live stream' }),
  complete: Type.Boolean(),
  unreachable: Type.Array(Unreachable),
  gaps: Type.Array(Type.Object({ node: Type.String(), ...EventGap.properties }), {
    description:
      'nodes whose history could not go on from the place that was given, and is told from `next` on',
  }),
  reason: Type.Optional(Type.String()),
  observed_at: Time,
});

/** History of all nodes, by time; and as a live stream. */
export function addClusterEventsRoute(app: App, parts: ServiceParts): void {
  app.get('/v1/cluster/events', {
    config: { role: 'viewer', produces: ['application/json', eventStreamType] },
    schema: {
      operationId: 'listFleetEvents',
      summary: 'What changed on all nodes, by time; as a live stream with Accept: text/event-stream',
      tags: ['fleet'],
      querystring: FleetEventsQuery,
      response: answers({
        200: {
          description: 'Events; a node’s own are in order, between nodes it is as good as their clocks.',
          content: {
            'application/json': { schema: page },
            [eventStreamType]: {
              schema: Type.String({
                description:
                  'server-sent events as those of a node; `id` comes with the last of several, so after a ' +
                  'resume some may be told again: node and seq tell. `pinfold.unreachable` names nodes, ' +
                  '`pinfold.gap` one whose history could not go on from the place it was read up to.',
              }),
            },
          },
        },
      }),
    },
    handler: async (request, reply) => {
      const asked = askedOf(parts, request, reply);
      return request.media === eventStreamType
        ? sendLive(parts, request, reply, asked)
        : await sendPage(asked);
    },
  });
}

/** What a request asks for. */
interface Asked {
  readonly parts: ServiceParts;
  readonly fleet: Fleet;
  readonly question: FleetQuestion;
  readonly limit: number | undefined;
  readonly cursor: Cursor;
  readonly given: string | undefined;
}

function askedOf(parts: ServiceParts, request: FastifyRequest, reply: FastifyReply): Asked {
  const { limit, cursor: given, ...filters }: Readonly<Record<string, unknown>> = Object(request.query);
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return {
    parts,
    fleet: fleetOf(parts),
    question: {
      path: '/v1/events',
      query: forwardedQuery(filters),
      caller: request.caller,
      deadlineMs: deadlineOf(filters),
      signal: gone.signal,
      ...nodeChoiceOf(filters),
    },
    limit: typeof limit === 'number' ? limit : undefined,
    cursor: createCursor(request),
    given: typeof given === 'string' ? given : undefined,
  };
}

async function sendPage({ parts, fleet, question, limit, cursor, given }: Asked): Promise<unknown> {
  const after = given === undefined ? placesAtBegin(parts, fleet, question) : placesOf(cursor, given);
  const found = await fleet.events(question, { limit: limit ?? limits.pageItemsDefault, after });
  const resume = cursor.formatBytes(formatPlaces(found.places));
  const { trouble } = fleet;
  return {
    items: found.items,
    next_cursor: found.hasMore ? resume : null,
    resume,
    complete: found.unreachable.length + found.gaps.length === 0 && trouble === undefined,
    unreachable: found.unreachable,
    gaps: found.gaps,
    ...(trouble === undefined ? {} : { reason: trouble }),
    observed_at: parts.clock.now().toISOString(),
  };
}

/** Nodes there are have their place from the beginning; of others that join it is told from now on. */
function placesAtBegin(
  { clock }: Pick<ServiceParts, 'clock'>,
  fleet: Fleet,
  question: FleetQuestion,
): FleetPlaces {
  const nodes = new Map(fleet.candidates(question).map(({ name }) => [name, asAsked]));
  return { begun: clock.now().toISOString(), nodes };
}

/** @throws PinfoldError bad_cursor */
function placesOf(cursor: Cursor, given: string): FleetPlaces {
  return parsePlaces(cursor.parseBytes(given));
}

/** @throws PinfoldError invalid_input, bad_cursor, too_many_requests */
function sendLive(
  parts: ServiceParts,
  request: FastifyRequest,
  reply: FastifyReply,
  asked: Asked,
): FastifyReply {
  if (asked.limit !== undefined || asked.given !== undefined) {
    throw new PinfoldError('invalid_input', { detail: 'limit and cursor are for pages, not for a stream.' });
  }
  const known = request.headers['last-event-id'];
  const hasKnown = typeof known === 'string' && known !== '';
  const after = hasKnown ? placesOf(asked.cursor, known) : placesAtBegin(parts, asked.fleet, asked.question);
  // Who asks for nothing else wants what comes from the beginning of the stream on, also when it comes again.
  const { query } = asked.question;
  if (!query.has('since')) query.set('since', after.begun);
  const release = parts.streams.take();
  const stream = Readable.from(liveText(asked, after), { objectMode: false, highWaterMark: 1 });
  const forget = parts.streams.endWithAll(() => stream.destroy());
  stream.once('close', () => {
    forget();
    release();
  });
  return reply.type(eventStreamType).header('x-accel-buffering', 'no').send(stream);
}

/** Asks all nodes again and again, more slowly the more there are; says each time that it is alive. */
async function* liveText(
  { fleet, question, cursor, parts }: Asked,
  begin: FleetPlaces,
): AsyncGenerator<string, void, undefined> {
  let after = begin;
  let missing = '[]';
  let toldMs = Number.NEGATIVE_INFINITY;
  yield 'retry: 1000\n\n';
  while (!question.signal.aborted) {
    const found = await fleet.events(question, { limit: limits.streamEventsMax, after });
    after = found.places;
    const names = JSON.stringify(found.unreachable);
    if (names !== missing) yield `event: pinfold.unreachable\ndata: ${names}\n\n`;
    missing = names;
    for (const gap of found.gaps) yield `event: pinfold.gap\ndata: ${JSON.stringify(gap)}\n\n`;
    const last = found.items.length - 1;
    const nowMs = parts.clock.monotonicMs();
    const isDue = last >= 0 || found.gaps.length > 0 || nowMs - toldMs >= limits.streamHeartbeatMs;
    const id = isDue ? `id: ${cursor.formatBytes(formatPlaces(after))}\n` : '';
    if (isDue) toldMs = nowMs;
    yield found.items
      .map((item, at) => {
        const mark = at === last ? id : '';
        return `${mark}event: ${String(item['type'])}\ndata: ${JSON.stringify(item)}\n\n`;
      })
      .join('') || `: alive\n${id}\n`;
    const restMs = Math.max(limits.fleetEventsIntervalMs, 10 * fleet.nodes([]).length);
    if (!found.hasMore) await pause(restMs, question.signal);
  }
}
