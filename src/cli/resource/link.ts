import type { Link } from '../../client/documents.ts';
import { readData } from '../../client/pinfold-client.ts';
import { parseId } from '../argument.ts';
import { shown } from './cell.ts';
import { holderColumns, idColumn, objectFilters, objectName, typeColumn } from './object-columns.ts';
import { defineResource } from './resource.ts';

/** `get links`. */
export const linkResource = defineResource<Link>({
  singular: 'link',
  plural: 'links',
  isFleetList: true,
  filters: objectFilters,
  columns: [
    idColumn,
    typeColumn,
    { title: 'PROGRAM', align: 'right', cell: (link) => shown(link.prog_id) },
    { title: 'ATTACHED', cell: (link) => shown(link.is_attached) },
    { title: 'TARGET', cell: targetOf },
    ...holderColumns,
    { title: 'ATTACH TYPE', isWide: true, cell: (link) => shown(link.attach_type) },
    { title: 'COOKIE', isWide: true, cell: (link) => shown(link.cookie) },
  ],
  list: (client, { type, name, pinned, held_by, fresh }, itemsMax) =>
    client.list('/v1/links', { type, name, pinned, held_by, fresh }, itemsMax),
  find: (client, name) =>
    readData(client.api.GET('/v1/links/{id}', { params: { path: { id: parseId(name, 'link') } } })),
  nameOf: objectName,
});

/** What the link hangs on, in the words of its type. */
function targetOf(link: Link): string {
  const named = link.tp_name ?? link.target_name ?? link.func_name ?? link.file_name ?? link.path;
  if (named !== undefined) return shown(named);
  if (link.ifindex !== undefined) return `ifindex ${link.ifindex}`;
  if (link.cgroup_id !== undefined) return shown(`cgroup ${link.cgroup_id}`);
  if (link.netns_ino !== undefined) return `netns ${link.netns_ino}`;
  return link.map_id === undefined ? '' : `map ${link.map_id}`;
}
