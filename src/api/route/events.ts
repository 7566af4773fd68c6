import { Type } from 'typebox';
import type { Observed, Page, Slice } from '../../agent/agent.ts';
import { PinfoldError } from '../../model/error.ts';
import { parsePath } from '../../model/path.ts';
import { listOf, ObjectKindSchema, Time } from '../../model/schema/common.ts';
import { EventDocument, eventTypes } from '../../model/schema/event.ts';
import type { EventLog, EventQuery } from '../../model/store.ts';
import { answers, list } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { mountQuery } from '../change.ts';
import { pageQuery, sendList } from '../list.ts';

const EventsQuery = Type.Object(
  {
    ...pageQuery,
    ...mountQuery,
    since: Type.Optional(Time),
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

/** History, oldest first. */
export function addEventsRoute(app: App, parts: Parts): void {
  const { events } = parts.agent.store;
  app.get('/v1/events', {
    config: { role: 'viewer', produces: ['application/json', 'application/x-ndjson'] },
    schema: {
      operationId: 'listEvents',
      summary: 'What changed, newest last',
      tags: ['time'],
      querystring: EventsQuery,
      response: answers({ 200: list('Events.', listOf(EventDocument)) }),
    },
    handler: (request, reply) => {
      const query = eventQueryOf(request.query);
      return sendList(parts, request, reply, (slice) =>
        pageOfEvents({ events, query, slice, at: parts.clock.now() }),
      );
    },
  });
}

function eventQueryOf(given: EventsQuery): Omit<EventQuery, 'limit' | 'afterSeq'> {
  const { since, until, pin, prefix, kind, id, type, actor, mount } = given;
  if (pin !== undefined && prefix !== undefined) {
    throw new PinfoldError('invalid_input', { detail: 'Give pin or prefix, not both.' });
  }
  const path = pin ?? prefix;
  return {
    ...(since === undefined ? {} : { since: new Date(since).toISOString() }),
    ...(until === undefined ? {} : { until: new Date(until).toISOString() }),
    ...(path === undefined ? {} : { path: parsePath(path), within: prefix !== undefined }),
    ...(mount === undefined ? {} : { mount }),
    ...(kind === undefined ? {} : { kind }),
    ...(id === undefined ? {} : { id }),
    ...(type === undefined ? {} : { types: parseTypes(type) }),
    ...(actor === undefined ? {} : { actor }),
  };
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

/**
 * A page of history; a position is the number of the last event before it.
 *
 * The total is counted where it is asked for: counting reads every event that matches, and a stream of many
 * pages never tells it.
 */
function pageOfEvents(wanted: {
  readonly events: EventLog;
  readonly query: Omit<EventQuery, 'limit' | 'afterSeq'>;
  readonly slice: Slice;
  readonly at: Date;
}): Observed<Page<EventDocument>> {
  const { events, query, slice, at } = wanted;
  const afterSeq = slice.after === undefined ? 0 : Number(slice.after);
  if (!Number.isSafeInteger(afterSeq) || afterSeq < 0) throw new PinfoldError('bad_cursor');
  const found = events.list({ ...query, afterSeq, limit: slice.limit + 1 });
  const items = found.slice(0, slice.limit);
  const last = items.at(-1);
  const next = found.length > items.length && last !== undefined ? String(last.seq) : undefined;
  const value = {
    items,
    next,
    get total() {
      return events.count(query);
    },
  };
  return { value, observedAt: at };
}
