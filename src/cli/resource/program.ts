import type { Program } from '../../client/documents.ts';
import { readData } from '../../client/pinfold-client.ts';
import { parseId } from '../argument.ts';
import { shown } from './cell.ts';
import { holderColumns, idColumn, objectFilters, objectName, typeColumn } from './object-columns.ts';
import { defineResource } from './resource.ts';

/** `get programs`. */
export const programResource = defineResource<Program>({
  singular: 'program',
  plural: 'programs',
  isFleetList: true,
  aliases: ['prog', 'progs'],
  filters: objectFilters,
  columns: [
    idColumn,
    typeColumn,
    { title: 'NAME', cell: (program) => shown(program.name) },
    { title: 'TAG', cell: (program) => shown(program.tag) },
    ...holderColumns,
    { title: 'UID', isWide: true, align: 'right', cell: (program) => shown(program.created_by_uid) },
    { title: 'XLATED', isWide: true, align: 'right', cell: (program) => shown(program.xlated_prog_len) },
    { title: 'JITED', isWide: true, align: 'right', cell: (program) => shown(program.jited_prog_len) },
    { title: 'MAPS', isWide: true, cell: (program) => (program.map_ids ?? []).join(',') },
    { title: 'BTF', isWide: true, align: 'right', cell: (program) => shown(program.btf_id) },
  ],
  list: (client, { type, name, pinned, held_by, fresh }, itemsMax) =>
    client.list('/v1/programs', { type, name, pinned, held_by, fresh }, itemsMax),
  find: (client, name) =>
    readData(client.api.GET('/v1/programs/{id}', { params: { path: { id: parseId(name, 'program') } } })),
  nameOf: objectName,
});
