import type { WebhookDelivery } from '../../client/documents.ts';
import { readData } from '../../client/pinfold-client.ts';
import { limits } from '../../model/limits.ts';
import { ageColumn, shown } from './cell.ts';
import { defineResource } from './resource.ts';

/** `webhook deliveries NAME`: what was sent to one webhook, newest first; `name` is the webhook's. */
export const deliveryResource = defineResource<WebhookDelivery>({
  singular: 'delivery',
  plural: 'deliveries',
  filters: ['name'],
  columns: [
    { title: 'ID', align: 'right', cell: (delivery) => shown(delivery.id) },
    { title: 'STATE', cell: (delivery) => shown(delivery.state) },
    { title: 'SEQ', align: 'right', cell: (delivery) => shown(delivery.seq) },
    { title: 'TYPE', cell: (delivery) => shown(delivery.type) },
    { title: 'ATTEMPTS', align: 'right', cell: (delivery) => shown(delivery.attempts) },
    { title: 'STATUS', align: 'right', cell: (delivery) => shown(delivery.status) },
    { title: 'MS', align: 'right', cell: (delivery) => shown(delivery.duration_ms) },
    ageColumn((delivery) => delivery.last_at),
    { title: 'ERROR', cell: (delivery) => shown(delivery.error) },
    { title: 'MESSAGE', isWide: true, cell: (delivery) => shown(delivery.message_id) },
  ],
  list: async function* (client, { name = '' }) {
    const params = { path: { name }, query: { limit: limits.webhookDeliveriesMax } };
    const page = await readData(client.api.GET('/v1/webhooks/{name}/deliveries', { params }));
    if (typeof page === 'object') yield* page.items;
  },
  nameOf: (delivery) => shown(delivery.id),
});
