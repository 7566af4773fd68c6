import type { Event } from '../../client/documents.ts';
import type { PinfoldClient } from '../../client/pinfold-client.ts';
import { escapeName } from '../../model/escape.ts';
import { parseTextPath } from '../argument.ts';
import { shown, shownActor, shownPath } from './cell.ts';
import { followedEvents } from './followed-events.ts';
import { type EventFilters, newestEvents } from './newest-events.ts';
import { defineResource, type Filters } from './resource.ts';

/** An event, and the instance whose paths need no mention of it. */
interface ShownEvent {
  readonly event: Event;
  readonly primary: string | undefined;
}

/** `get events`: history, newest last. */
export const eventResource = defineResource<ShownEvent>({
  singular: 'event',
  plural: 'events',
  filters: ['since', 'until', 'pin', 'prefix', 'kind', 'id', 'type', 'actor', 'mount'],
  columns: [
    { title: 'SEQ', align: 'right', cell: ({ event }) => shown(event.seq) },
    { title: 'TIME', cell: ({ event }) => shown(event.time) },
    { title: 'TYPE', cell: ({ event }) => shown(event.type) },
    { title: 'SUBJECT', cell: subjectOf },
    { title: 'ACTOR', cell: ({ event }) => shownActor(event.actor) },
    { title: 'OPERATION', isWide: true, cell: ({ event }) => shown(event.operation_id) },
    { title: 'MOUNT', isWide: true, cell: ({ event }) => shown(event.subject.mount) },
  ],
  newestMax: 50,
  documentOf: ({ event }) => event,
  list: async function* (client, filters, itemsMax) {
    const query = queryOf(filters);
    const primary = await primaryOf(client);
    const events =
      itemsMax === undefined ? client.list('/v1/events', query) : newestEvents(client, query, itemsMax);
    for await (const event of events) yield { event, primary };
  },
  follow: async function* (client, filters, after) {
    const primary = await primaryOf(client);
    for await (const event of followedEvents(client, queryOf(filters), after)) yield { event, primary };
  },
  nameOf: ({ event }) => shown(event.seq),
});

function queryOf(filters: Filters): EventFilters {
  const { since, until, pin, kind, id, type, actor, mount } = filters;
  const prefix = filters.prefix === undefined ? undefined : parseTextPath(filters.prefix);
  return { since, until, pin, prefix, kind, id, type, actor, mount };
}

async function primaryOf(client: PinfoldClient): Promise<string | undefined> {
  for await (const mount of client.list('/v1/mounts', {})) if (mount.primary) return mount.id;
  return undefined;
}

/** What the event is about: a path, its instance if not the agent's own, and the object where it is known. */
function subjectOf({ event, primary }: ShownEvent): string {
  const { subject } = event;
  const object =
    subject.kind === undefined || subject.id === undefined ? '' : `${subject.kind}:${subject.id}`;
  if (subject.path === undefined) return object === '' ? nameIn(event) : shown(object);
  const path = shownPath({ path: subject.path, path_bytes: subject.path_bytes });
  const isElsewhere = subject.mount !== undefined && subject.mount !== primary;
  const place = isElsewhere ? `${path} on ${shown(subject.mount)}` : path;
  return object === '' ? place : `${place} (${shown(object)})`;
}

/** What is no pin and no object has a name: an owner's, from its bytes, where the text would lose some. */
function nameIn({ subject, before, after }: Event): string {
  const bytes = subject.kind === 'claim' ? (after ?? before)?.['owner_bytes'] : undefined;
  if (typeof bytes === 'string') return escapeName(Buffer.from(bytes, 'base64'));
  return shown(subject.mount ?? subject.name);
}
