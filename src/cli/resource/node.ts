import type { FleetNode } from '../../client/documents.ts';
import { readData } from '../../client/pinfold-client.ts';
import { ageColumn, shown, shownLabels } from './cell.ts';
import { defineResource } from './resource.ts';

/** `get nodes`: the nodes of the fleet that a manager knows; on a machine by itself, that machine. */
export const nodeResource = defineResource<FleetNode>({
  singular: 'node',
  plural: 'nodes',
  isOfFleet: true,
  filters: ['selector'],
  columns: [
    { title: 'NAME', cell: (node) => shown(node.name) },
    { title: 'STATE', cell: (node) => shown(node.state) },
    { title: 'VERSION', cell: (node) => shown(node.version) },
    { title: 'PINS', align: 'right', cell: ({ digest }) => shown(digest?.pins) },
    { title: 'OBJECTS', align: 'right', cell: ({ digest }) => shown(sum(digest?.objects)) },
    { title: 'FINDINGS', align: 'right', cell: ({ digest }) => shown(sum(digest?.findings)) },
    ageColumn((node) => node.since, 'SINCE'),
    { title: 'ADDRESS', isWide: true, cell: (node) => shown(node.address) },
    { title: 'BOOT', isWide: true, cell: (node) => shown(node.boot_id) },
    { title: 'LABELS', isWide: true, cell: (node) => shownLabels(node.labels) },
    { title: 'REASON', isWide: true, cell: (node) => shown(node.reason) },
  ],
  list: (client, { selector }, itemsMax) => client.list('/v1/cluster/nodes', { selector }, itemsMax),
  find: (client, name) =>
    readData(client.api.GET('/v1/cluster/nodes/{node}', { params: { path: { node: name } } })),
  nameOf: (node) => shown(node.name),
});

/** Undefined where it is not known yet. */
function sum(numbers: Readonly<Record<string, number>> | undefined): number | undefined {
  return numbers === undefined
    ? undefined
    : Object.values(numbers).reduce((total, number) => total + number, 0);
}
