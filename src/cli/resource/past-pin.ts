import type { PinThen } from '../../client/documents.ts';
import { readData } from '../../client/pinfold-client.ts';
import { urlOf } from '../../model/path.ts';
import { parsePathArgument } from '../argument.ts';
import { UsageError } from '../exit.ts';
import { shown, shownActor, shownPath } from './cell.ts';
import { pinResource } from './pin.ts';
import { defineResource, type Resource } from './resource.ts';

/** `get pin PATH --at …`: what a path held then. */
const pastPinResource = defineResource<PinThen>({
  singular: 'pin',
  plural: 'pins',
  filters: ['mount', 'at'],
  columns: [
    { title: 'PATH', cell: shownPath },
    { title: 'STATE', cell: ({ state }) => state },
    { title: 'KIND', cell: ({ pin }) => member(pin, 'kind') },
    { title: 'ID', align: 'right', cell: ({ pin }) => member(pin, 'id') },
    { title: 'TYPE', cell: ({ pin }) => member(pin, 'type') },
    { title: 'NAME', cell: ({ pin }) => member(pin, 'name') },
    { title: 'AS OF', cell: ({ as_of_time: time }) => shown(time) },
    { title: 'BY', cell: ({ since, reason }) => shownActor(reason ?? since?.actor) },
    { title: 'SEQ', isWide: true, align: 'right', cell: ({ as_of_seq: seq }) => shown(seq) },
    { title: 'SINCE', isWide: true, cell: ({ since }) => shown(since?.time) },
    { title: 'UNTIL', isWide: true, cell: ({ until }) => shown(until?.time) },
    { title: 'MOUNT', isWide: true, cell: ({ mount }) => shown(mount) },
  ],
  find: async ({ api }, name, { mount, at = '' }) => {
    const path = urlOf(parsePathArgument(name));
    const query = mount === undefined ? { at } : { at, mount };
    const then = await readData(api.GET('/v1/pins/{path}', { params: { path: { path }, query } }));
    if ('at' in then) return then;
    throw new UsageError('This agent is too old to be asked about the past.');
  },
  nameOf: shownPath,
});

/** The resource that answers for a moment of the past. @throws UsageError for what has none */
export function pastOf(resource: Resource): Resource {
  if (resource === pinResource) return pastPinResource;
  throw new UsageError(`--at asks what a pin held; it does not go with ${resource.plural}.`);
}

function member(pin: PinThen['pin'], name: string): string {
  const value = pin?.[name];
  return shown(typeof value === 'number' ? value : typeof value === 'string' ? value : undefined);
}
