import type { BpfObject } from '../../client/documents.ts';
import { shown } from './cell.ts';
import { holderColumns, idColumn, objectFilters, objectName, typeColumn } from './object-columns.ts';
import { defineResource } from './resource.ts';

/** `get objects`: all kinds in one list. */
export const objectResource = defineResource<BpfObject>({
  singular: 'object',
  plural: 'objects',
  isFleetList: true,
  filters: ['kind', ...objectFilters],
  columns: [
    { title: 'KIND', cell: (object) => object.kind },
    idColumn,
    typeColumn,
    { title: 'NAME', cell: (object) => ('name' in object ? shown(object.name) : '') },
    ...holderColumns,
  ],
  list: (client, { kind, type, name, pinned, held_by, fresh }, itemsMax) =>
    client.list('/v1/objects', { kind, type, name, pinned, held_by, fresh }, itemsMax),
  nameOf: objectName,
});
