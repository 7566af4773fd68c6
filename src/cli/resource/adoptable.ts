import type { AdoptablePinSet } from '../../client/documents.ts';
import { shown } from './cell.ts';
import { defineResource } from './resource.ts';

/** `get adoptable`: pin sets that nodes have and the store has not, after it was restored. */
export const adoptableResource = defineResource<AdoptablePinSet>({
  singular: 'adoptable',
  plural: 'adoptable',
  isOfFleet: true,
  filters: [],
  columns: [
    { title: 'NAME', cell: (set) => shown(set.name) },
    { title: 'STORED', align: 'right', cell: (set) => shown(set.stored_generation ?? 'no') },
    { title: 'APPLIED', align: 'right', cell: ({ nodes }) => shown(nodes[0]?.generation) },
    { title: 'NODES', cell: ({ nodes }) => shown(nodes.map(({ node }) => node).join(',')) },
  ],
  list: (client, _, itemsMax) => client.list('/v1/cluster/adoptable', {}, itemsMax),
  nameOf: (set) => shown(set.name),
});
