import type { Event } from '../../client/documents.ts';
import { parseTextPath } from '../argument.ts';
import { shown, shownPath } from './cell.ts';
import { defineResource } from './resource.ts';

/** `get events`: history, newest last. */
export const eventResource = defineResource<Event>({
  singular: 'event',
  plural: 'events',
  filters: ['since', 'until', 'pin', 'prefix', 'kind', 'id', 'type', 'actor', 'mount'],
  columns: [
    { title: 'SEQ', align: 'right', cell: (event) => shown(event.seq) },
    { title: 'TIME', cell: (event) => shown(event.time) },
    { title: 'TYPE', cell: (event) => shown(event.type) },
    { title: 'SUBJECT', cell: ({ subject }) => subjectOf(subject) },
    { title: 'ACTOR', cell: (event) => shown(event.actor) },
    { title: 'OPERATION', isWide: true, cell: (event) => shown(event.operation_id) },
    { title: 'MOUNT', isWide: true, cell: (event) => shown(event.subject.mount) },
  ],
  list: (client, filters, itemsMax) => {
    const { since, until, pin, kind, id, type, actor, mount } = filters;
    const prefix = filters.prefix === undefined ? undefined : parseTextPath(filters.prefix);
    return client.list('/v1/events', { since, until, pin, prefix, kind, id, type, actor, mount }, itemsMax);
  },
  nameOf: (event) => shown(event.seq),
});

/** What the event is about: a path, with the object behind it where that is known. */
function subjectOf(subject: Event['subject']): string {
  const object =
    subject.kind === undefined || subject.id === undefined ? '' : `${subject.kind}:${subject.id}`;
  if (subject.path === undefined) return shown(object === '' ? subject.mount : object);
  const path = shownPath({ path: subject.path, path_bytes: subject.path_bytes });
  return object === '' ? path : `${path} (${shown(object)})`;
}
