import type { BpfMap } from '../../client/documents.ts';
import { readData } from '../../client/pinfold-client.ts';
import { parseId } from '../argument.ts';
import { shown } from './cell.ts';
import { holderColumns, idColumn, objectFilters, objectName, typeColumn } from './object-columns.ts';
import { defineResource } from './resource.ts';

/** `get maps`. */
export const mapResource = defineResource<BpfMap>({
  singular: 'map',
  plural: 'maps',
  isFleetList: true,
  filters: objectFilters,
  columns: [
    idColumn,
    typeColumn,
    { title: 'NAME', cell: (map) => shown(map.name) },
    { title: 'KEY', align: 'right', cell: (map) => shown(map.key_size) },
    { title: 'VALUE', align: 'right', cell: (map) => shown(map.value_size) },
    { title: 'MAX', align: 'right', cell: (map) => shown(map.max_entries) },
    ...holderColumns,
    { title: 'MEMORY', isWide: true, isVolatile: true, align: 'right', cell: (map) => shown(map.memlock) },
    { title: 'FROZEN', isWide: true, cell: (map) => shown(map.frozen) },
    { title: 'BTF', isWide: true, align: 'right', cell: (map) => shown(map.btf_id) },
    { title: 'FLAGS', isWide: true, cell: (map) => map.flags.map(shown).join(',') },
  ],
  list: (client, { type, name, pinned, held_by, fresh }, itemsMax) =>
    client.list('/v1/maps', { type, name, pinned, held_by, fresh }, itemsMax),
  find: (client, name) =>
    readData(client.api.GET('/v1/maps/{id}', { params: { path: { id: parseId(name, 'map') } } })),
  nameOf: objectName,
});
