import type { Pin } from '../../client/documents.ts';
import { getPin } from '../../client/get-pin.ts';
import { urlOf } from '../../model/path.ts';
import { parsePathArgument, parsePinnableKind, prefixQuery } from '../argument.ts';
import { ageColumn, shown, shownLabels, shownPath } from './cell.ts';
import { defineResource } from './resource.ts';

/** `get pins`: names in a bpffs and what they hold. */
export const pinResource = defineResource<Pin>({
  singular: 'pin',
  plural: 'pins',
  isFleetList: true,
  filters: ['mount', 'prefix', 'kind', 'type', 'name', 'id', 'owner', 'claimed', 'label', 'fresh'],
  columns: [
    { title: 'PATH', cell: shownPath },
    { title: 'KIND', cell: (pin) => pin.kind },
    { title: 'ID', align: 'right', cell: (pin) => shown(pin.id) },
    { title: 'TYPE', cell: (pin) => shown(pin.type) },
    { title: 'NAME', cell: (pin) => shown(pin.name) },
    { title: 'OWNER', cell: (pin) => shown(pin.owner) },
    ageColumn((pin) => pin.pinned_at),
    { title: 'MODE', isWide: true, cell: (pin) => shown(pin.mode) },
    { title: 'UID', isWide: true, align: 'right', cell: (pin) => shown(pin.uid) },
    { title: 'GID', isWide: true, align: 'right', cell: (pin) => shown(pin.gid) },
    { title: 'LINKS', isWide: true, align: 'right', cell: (pin) => shown(pin.links) },
    { title: 'INODE', isWide: true, align: 'right', cell: (pin) => shown(pin.inode) },
    { title: 'MOUNT', isWide: true, cell: (pin) => shown(pin.mount) },
    { title: 'CLAIMS', isWide: true, cell: (pin) => pin.claims.map(shown).join(', ') },
    { title: 'LABELS', isWide: true, cell: (pin) => shownLabels(pin.labels) },
  ],
  list: (client, filters, itemsMax) => {
    const { mount, type, name, id, owner, claimed, label, fresh } = filters;
    const prefix = filters.prefix === undefined ? {} : prefixQuery(filters.prefix);
    const kind = filters.kind === undefined ? undefined : parsePinnableKind(filters.kind);
    const of = { mount, kind, type, name, id, owner, claimed, label, fresh };
    return client.list('/v1/pins', { ...prefix, ...of }, itemsMax);
  },
  find: (client, name, { mount }) => {
    const path = urlOf(parsePathArgument(name));
    return getPin(client, path, mount === undefined ? {} : { mount });
  },
  nameOf: shownPath,
});
