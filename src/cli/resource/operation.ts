import type { Operation } from '../../client/documents.ts';
import { readData } from '../../client/pinfold-client.ts';
import { ageColumn, shown, shownActor, shownPath } from './cell.ts';
import { defineResource } from './resource.ts';

/** `get operation ID`: what a change came to. There is no list of them; events name them. */
export const operationResource = defineResource<Operation>({
  singular: 'operation',
  plural: 'operations',
  aliases: ['op'],
  filters: [],
  columns: [
    { title: 'ID', cell: (operation) => shown(operation.id) },
    { title: 'KIND', cell: (operation) => shown(operation.kind) },
    { title: 'OUTCOME', cell: (operation) => shown(operation.outcome) },
    { title: 'PATH', cell: pathOf },
    { title: 'ACTOR', cell: (operation) => shownActor(operation.actor) },
    ageColumn((operation) => operation.started_at),
    { title: 'ACCEPTED', isWide: true, cell: (operation) => operation.accepted.map(shown).join(',') },
    { title: 'DETAIL', isWide: true, cell: (operation) => shown(operation.detail) },
  ],
  find: (client, id) => readData(client.api.GET('/v1/operations/{id}', { params: { path: { id } } })),
  nameOf: (operation) => shown(operation.id),
});

function pathOf({ subject }: Operation): string {
  const { path, path_bytes: bytes } = subject;
  if (typeof path !== 'string') return '';
  return shownPath(typeof bytes === 'string' ? { path, path_bytes: bytes } : { path });
}
