import type { Quarantined } from '../../client/documents.ts';
import { readData } from '../../client/pinfold-client.ts';
import { ageOf } from '../format/age.ts';
import { ageColumn, shown, shownPath } from './cell.ts';
import { defineResource } from './resource.ts';

/** `get quarantine`: pins that were moved aside and can still be restored. */
export const quarantineResource = defineResource<Quarantined>({
  singular: 'quarantined',
  plural: 'quarantine',
  filters: ['prefix', 'mount'],
  columns: [
    { title: 'ID', cell: (pin) => shown(pin.id) },
    { title: 'PATH', cell: shownPath },
    { title: 'OBJECT', cell: ({ kind, object_id }) => `${shown(kind)}:${object_id}` },
    { title: 'TYPE', cell: (pin) => shown(pin.type) },
    { title: 'NAME', cell: (pin) => shown(pin.name) },
    { title: 'RULE', cell: (pin) => shown(pin.rule) },
    ageColumn((pin) => pin.quarantined_at),
    { title: 'EXPIRES IN', isVolatile: true, cell: ({ expires_at }, now) => timeLeft(expires_at, now) },
    { title: 'OWNER', isWide: true, cell: (pin) => shown(pin.owner) },
    { title: 'RUN', isWide: true, cell: (pin) => shown(pin.run) },
    { title: 'WHY', isWide: true, cell: (pin) => shown(pin.why) },
  ],
  list: (client, { prefix, mount }, itemsMax) => client.list('/v1/quarantine', { prefix, mount }, itemsMax),
  find: (client, id) => readData(client.api.GET('/v1/quarantine/{id}', { params: { path: { id } } })),
  nameOf: (pin) => shown(pin.id),
});

/** What has no end stays until somebody decides. */
function timeLeft(expiresAt: string | null, now: Date): string {
  if (expiresAt === null) return 'never';
  const left = Math.max(0, Date.parse(expiresAt) - now.getTime());
  return ageOf(new Date(now.getTime() - left).toISOString(), now);
}
