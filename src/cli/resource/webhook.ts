import type { Webhook } from '../../client/documents.ts';
import { readData } from '../../client/pinfold-client.ts';
import { ageColumn, shown, shownPath } from './cell.ts';
import { defineResource } from './resource.ts';

/** `get webhooks`: who is sent what happens, and how that goes. */
export const webhookResource = defineResource<Webhook>({
  singular: 'webhook',
  plural: 'webhooks',
  filters: [],
  columns: [
    { title: 'NAME', cell: (webhook) => shown(webhook.name) },
    { title: 'STATE', cell: (webhook) => shown(webhook.state) },
    { title: 'BACKLOG', align: 'right', cell: (webhook) => shown(webhook.backlog) },
    { title: 'FAILURES', align: 'right', cell: (webhook) => shown(webhook.failures) },
    { title: 'TYPES', cell: ({ types }) => (types.length === 0 ? 'all' : types.map(shown).join(',')) },
    { title: 'PREFIX', cell: prefixOf },
    ageColumn((webhook) => webhook.created_at),
    { title: 'URL', cell: (webhook) => shown(webhook.url) },
    { title: 'AFTER', isWide: true, align: 'right', cell: (webhook) => shown(webhook.after_seq) },
    { title: 'SECRETS', isWide: true, cell: ({ secrets }) => secrets.map(({ id }) => shown(id)).join(',') },
    { title: 'ERROR', isWide: true, cell: (webhook) => shown(webhook.last_error ?? webhook.state_reason) },
  ],
  list: (client, _, itemsMax) => client.list('/v1/webhooks', {}, itemsMax),
  find: (client, name) => readData(client.api.GET('/v1/webhooks/{name}', { params: { path: { name } } })),
  nameOf: (webhook) => shown(webhook.name),
});

function prefixOf({ prefix, prefix_bytes: bytes }: Webhook): string {
  return prefix === null ? '' : shownPath({ path: prefix, path_bytes: bytes });
}
