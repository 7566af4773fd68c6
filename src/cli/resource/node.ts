import type { Node } from '../../client/documents.ts';
import { type PinfoldClient, readData } from '../../client/pinfold-client.ts';
import { ageColumn, shown, shownLabels } from './cell.ts';
import { defineResource } from './resource.ts';

/** `get node`: the machine whose agent answers. */
export const nodeResource = defineResource<Node>({
  singular: 'node',
  plural: 'nodes',
  filters: [],
  columns: [
    { title: 'NAME', cell: (node) => shown(node.name) },
    { title: 'VERSION', cell: (node) => shown(node.version) },
    { title: 'KERNEL', cell: (node) => shown(node.kernel.release) },
    { title: 'PINS', align: 'right', cell: (node) => shown(node.pins) },
    { title: 'OBJECTS', align: 'right', cell: (node) => shown(sum(Object.values(node.objects))) },
    ageColumn((node) => node.started_at),
    { title: 'READ-ONLY', isWide: true, cell: (node) => (node.read_only ? 'yes' : 'no') },
    { title: 'BOOT', isWide: true, cell: (node) => shown(node.boot_id) },
    { title: 'LABELS', isWide: true, cell: (node) => shownLabels(node.labels) },
  ],
  list: (client) => theNode(client),
  find: (client) => readData(client.api.GET('/v1/node')),
  nameOf: (node) => shown(node.name),
});

async function* theNode(client: PinfoldClient): AsyncGenerator<Node, void, undefined> {
  yield await readData(client.api.GET('/v1/node'));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
