import type { Btf } from '../../client/documents.ts';
import { readData } from '../../client/pinfold-client.ts';
import { parseId } from '../argument.ts';
import { ageColumn, shown } from './cell.ts';
import { idColumn, objectFilters, objectName, typeColumn } from './object-columns.ts';
import { defineResource } from './resource.ts';

/** `get btfs`. BTF can't be pinned, and the kernel shows no counter of it. */
export const btfResource = defineResource<Btf>({
  singular: 'btf',
  plural: 'btfs',
  filters: objectFilters.filter((name) => name !== 'pinned'),
  columns: [
    idColumn,
    typeColumn,
    { title: 'NAME', cell: (btf) => shown(btf.name) },
    { title: 'BYTES', align: 'right', cell: (btf) => shown(btf.btf_size) },
    ageColumn((btf) => btf.first_seen),
  ],
  list: (client, { type, name, held_by, fresh }, itemsMax) =>
    client.list('/v1/btfs', { type, name, held_by, fresh }, itemsMax),
  find: async (client, name) => {
    const data = await readData(
      client.api.GET('/v1/btfs/{id}', { params: { path: { id: parseId(name, 'btf') } } }),
    );
    if (typeof data === 'object' && 'kind' in data) return data;
    throw new TypeError('types were answered, which nobody had asked for');
  },
  nameOf: objectName,
});
