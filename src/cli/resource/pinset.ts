import type { PinSetDocument } from '../../client/documents.ts';
import { readData } from '../../client/pinfold-client.ts';
import { ageColumn, shown, shownActor, shownLabels } from './cell.ts';
import { defineResource } from './resource.ts';

/**
 * `get pinsets`: what nodes must have pinned. Programs get what `pinfold apply` takes; where the caller may
 * not see all of it, a member says so that cannot be applied.
 */
export const pinSetResource = defineResource<PinSetDocument>({
  singular: 'pinset',
  plural: 'pinsets',
  isOfFleet: true,
  filters: [],
  columns: [
    { title: 'NAME', cell: (set) => shown(set.name) },
    { title: 'GENERATION', align: 'right', cell: (set) => shown(set.generation) },
    { title: 'MODE', cell: ({ spec }) => shown(spec.mode ?? 'enforce') },
    { title: 'PINS', align: 'right', cell: ({ spec }) => shown(spec.pins?.length ?? 0) },
    { title: 'DONE', align: 'right', cell: ({ nodes }) => `${nodes.done}/${nodes.total}` },
    { title: 'DRIFTED', align: 'right', cell: ({ nodes }) => shown(nodes.drifted) },
    { title: 'FAILED', align: 'right', cell: ({ nodes }) => shown(nodes.failed) },
    { title: 'ROLLOUT', cell: ({ rollout }) => shown(rollout?.state) },
    ageColumn((set) => set.time),
    { title: 'NODES', isWide: true, cell: meantFor },
    { title: 'UNREACHABLE', isWide: true, align: 'right', cell: ({ nodes }) => shown(nodes.unreachable) },
    { title: 'BY', isWide: true, cell: (set) => shownActor(set.actor) },
    { title: 'REASON', isWide: true, cell: ({ nobody, rollout }) => shown(nobody ?? rollout?.reason) },
  ],
  documentOf: ({ name, spec, entries_withheld: isPart }) => ({
    name,
    ...spec,
    ...(isPart === true ? { entries_withheld: true } : {}),
  }),
  list: (client, _, itemsMax) => client.list('/v1/cluster/pinsets', {}, itemsMax),
  find: (client, name) =>
    readData(client.api.GET('/v1/cluster/pinsets/{name}', { params: { path: { name } } })),
  nameOf: (set) => shown(set.name),
});

function meantFor({ spec: { all, selector = {} } }: PinSetDocument): string {
  return all === true ? 'all' : shownLabels(selector);
}
