import { ClientError } from '../../client/client-error.ts';
import type { Mount } from '../../client/documents.ts';
import { escapeText } from '../../model/escape.ts';
import { shown, shownPath } from './cell.ts';
import { defineResource } from './resource.ts';

/** `get mounts`: every bpffs that any mount namespace shows. */
export const mountResource = defineResource<Mount>({
  singular: 'mount',
  plural: 'mounts',
  filters: ['fresh'],
  columns: [
    { title: 'ID', cell: (mount) => shown(mount.id) },
    { title: 'PRIMARY', cell: (mount) => yes(mount.primary) },
    { title: 'REACHABLE', cell: (mount) => yes(mount.reachable) },
    { title: 'SHADOWED', cell: (mount) => yes(mount.shadowed) },
    { title: 'READ-ONLY', cell: (mount) => yes(mount.read_only) },
    { title: 'MODE', cell: (mount) => shown(mount.mode) },
    { title: 'PATH', cell: (mount) => pathsOf(mount)[0] ?? '' },
    { title: 'ALL PATHS', isWide: true, cell: (mount) => pathsOf(mount).join(', ') },
    { title: 'INSTANCE', isWide: true, cell: (mount) => shown(mount.instance) },
  ],
  list: (client, { fresh }, itemsMax) => client.list('/v1/mounts', { fresh }, itemsMax),
  find: async (client, name) => {
    for await (const mount of client.list('/v1/mounts', {})) if (mount.id === name) return mount;
    const problem = { code: 'mount_not_found', status: 404, title: 'No such bpffs instance is mounted' };
    throw new ClientError(problem, `No bpffs instance has the id ${escapeText(name)}.`);
  },
  nameOf: (mount) => shown(mount.id),
});

function yes(is: boolean): string {
  return is ? 'yes' : 'no';
}

function pathsOf(mount: Mount): readonly string[] {
  return [...new Set(mount.paths.map(shownPath))];
}
