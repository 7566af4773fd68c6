import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import type { Observed, Page, Slice } from '../../agent/agent.ts';
import { PinfoldError } from '../../model/error.ts';
import { type EventPlace, formatEventPlace, parseEventPlace, placePattern } from '../../model/event-place.ts';
import { parsePath } from '../../model/path.ts';
import { listOf, ObjectKindSchema, Time } from '../../model/schema/common.ts';
import { EventDocument, eventTypes } from '../../model/schema/event.ts';
import type { EventLog, EventQuery } from '../../model/store.ts';
import { type Answer, answers, list } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { mountQuery } from '../change.ts';
import { EventGap, gapAfter } from '../event-gap.ts';
import { pageQuery, sendList } from '../list.ts';
import { EventFollowers, eventStreamType, type OnEvents } from '../sse.ts';

/** What history is narrowed by. */
export const EventsQuery = Type.Object(
  {
    ...pageQuery,
    ...mountQuery,
    since: Type.Optional(
      Type.Union([Time, Type.String({ pattern: placePattern, examples: ['4711'] })], {
        description: 'from this time on; or after the event of this number, or after this place (`resume`)',
      }),
    ),
    until: Type.Optional(Time),
    pin: Type.Optional(Type.String({ description: 'path of a pin' })),
    prefix: Type.Optional(Type.String({ description: 'path of a directory: events of it and of all below' })),
    kind: Type.Optional(ObjectKindSchema),
    id: Type.Optional(Type.Integer({ minimum: 1 })),
    type: Type.Optional(
      Type.String({ description: `of ${eventTypes.join(', ')}; several separated by commas` }),
    ),
    actor: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
);
type EventsQuery = Type.Static<typeof EventsQuery>;

const EventsHeaders = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({
      pattern: `${placePattern}|^$`,
      examples: ['4711'],
      description: 'of a live stream: go on after this place',
    }),
  ),
});

const page = list(
  'Events.',
  Type.Object({
    ...listOf(EventDocument).properties,
    resume: Type.String({ description: 'the place up to which this tells: for `since` or `Last-Event-ID`' }),
    places: Type.Optional(
      Type.Array(Type.String(), {
        description:
          'where the page begins, and the place after each of its items, for `since`: for whoever stops ' +
          'between them; not in a stream’s summary',
      }),
    ),
    gap: Type.Optional(EventGap),
  }),
);

const listOrStream: Answer = {
  ...page,
  content: {
    ...page.content,
    [eventStreamType]: {
      schema: Type.String({
        description:
          'server-sent events: `id` is the place (the number, and what its hash begins with), `event` the ' +
          'type, `data` the event; `pinfold.gap` says that what comes after `after` is not all that came',
      }),
    },
  },
};

/** History, oldest first; and as a live stream. */
export function addEventsRoute(app: App, parts: Parts): void {
  const { agent, streams: slots } = parts;
  const { events } = agent.store;
  const onEvents: OnEvents = (listener) => agent.statistics.onEvents(listener);
  const followers = new EventFollowers({ events, slots, onEvents });
  app.get('/v1/events', {
    config: { role: 'viewer', produces: ['application/json', 'application/x-ndjson', eventStreamType] },
    schema: {
      operationId: 'listEvents',
      summary: 'What changed, newest last; as a live stream with Accept: text/event-stream',
      tags: ['time'],
      querystring: EventsQuery,
      headers: EventsHeaders,
      response: answers({ 200: listOrStream }),
    },
    handler: (request, reply) => {
      const query = eventQueryOf(request.query);
      if (request.media === eventStreamType) return sendStream(followers, query, request, reply);
      const isPage = request.media === 'application/json';
      return sendList(parts, request, reply, (slice) =>
        pageOfEvents({ events, query, slice, at: parts.clock.now(), isPage }),
      );
    },
  });
}

/**
 * Begins a live stream after `Last-Event-ID`, else where `since` says, else with what comes next.
 *
 * @throws PinfoldError invalid_input, too_many_requests
 */
function sendStream(
  followers: EventFollowers,
  { after: since, ...query }: AskedEvents,
  request: FastifyRequest<{ Querystring: EventsQuery; Headers: Static<typeof EventsHeaders> }>,
  reply: FastifyReply,
): unknown {
  const { limit, cursor } = request.query;
  if (limit !== undefined || cursor !== undefined) {
    throw new PinfoldError('invalid_input', { detail: 'limit and cursor are for pages, not for a stream.' });
  }
  const known = request.headers['last-event-id'] || undefined;
  const begin = query.since === undefined ? undefined : { seq: 0, hash: undefined };
  reply.type(eventStreamType).header('x-accel-buffering', 'no');
  if (request.method === 'HEAD') return reply.send();
  return followers.open({ query, after: known === undefined ? (since ?? begin) : parseEventPlace(known) });
}

function eventQueryOf(given: EventsQuery): AskedEvents {
  const { since, until, pin, prefix, kind, id, type, actor, mount } = given;
  if (pin !== undefined && prefix !== undefined) {
    throw new PinfoldError('invalid_input', { detail: 'Give pin or prefix, not both.' });
  }
  const path = pin ?? prefix;
  return {
    ...parseSince(since),
    ...(until === undefined ? {} : { until: new Date(until).toISOString() }),
    ...(path === undefined ? {} : { path: parsePath(path), within: prefix !== undefined }),
    ...(mount === undefined ? {} : { mount }),
    ...(kind === undefined ? {} : { kind }),
    ...(id === undefined ? {} : { id }),
    ...(type === undefined ? {} : { types: parseTypes(type) }),
    ...(actor === undefined ? {} : { actor }),
  };
}

/** A time, or a place. */
function parseSince(since: string | undefined): Pick<AskedEvents, 'since' | 'after'> {
  if (since === undefined) return {};
  const after = parseEventPlace(since);
  return after === undefined ? { since: new Date(since).toISOString() } : { after };
}

function parseTypes(text: string): readonly string[] {
  return text.split(',').map((name) => {
    const known = eventTypes.find((type) => type === name);
    if (known !== undefined) return known;
    throw new PinfoldError('invalid_input', {
      detail: `type takes ${eventTypes.join(', ')}.`,
      errors: [{ pointer: '/query/type', detail: 'is not an event type' }],
    });
  });
}

/** What is asked for, and after which place. */
type AskedEvents = Omit<EventQuery, 'limit' | 'afterSeq'> & { readonly after?: EventPlace };

/**
 * A page of history; a position is the place of the last event before it. Where history cannot go on from
 * there, the page begins with what is kept and says so.
 *
 * The total is counted where it is asked for: counting reads every event that matches, and a stream of many
 * pages never tells it.
 */
function pageOfEvents(wanted: {
  readonly events: EventLog;
  readonly query: AskedEvents;
  readonly slice: Slice;
  readonly at: Date;
  /** Else it is a slice of a stream. */
  readonly isPage: boolean;
}): Observed<Page<EventDocument>> {
  const { events, slice, at, isPage } = wanted;
  const { after: since, ...query } = wanted.query;
  const place = slice.after === undefined ? since : positionOf(slice.after);
  const gap = place === undefined ? undefined : gapAfter(events, place);
  const afterSeq = gap === undefined ? (place?.seq ?? 0) : gap.next - 1;
  const found = events.listHashed({ ...query, afterSeq, limit: slice.limit + 1 });
  const shown = found.slice(0, slice.limit);
  const last = shown.at(-1);
  const isMore = found.length > shown.length && last !== undefined;
  const end = events.lastSeq();
  const resume = formatEventPlace(
    isMore ? { seq: last.event.seq, hash: last.hash } : { seq: end, hash: events.hashAt(end) },
  );
  const begin = { seq: afterSeq, hash: events.hashAt(afterSeq) };
  const ends = shown.map(({ event: { seq }, hash }) => ({ seq, hash }));
  const places = isPage ? { places: [begin, ...ends].map((each) => formatEventPlace(each)) } : {};
  const value = {
    items: shown.map(({ event }) => event),
    next: isMore ? resume : undefined,
    get total() {
      return events.count(since === undefined ? query : { ...query, afterSeq: since.seq });
    },
    about: { resume, ...places, ...(gap === undefined ? {} : { gap }) },
  };
  return { value, observedAt: at };
}

/** @throws PinfoldError bad_cursor */
function positionOf(text: string): EventPlace {
  const place = parseEventPlace(text);
  if (place === undefined) throw new PinfoldError('bad_cursor');
  return place;
}
