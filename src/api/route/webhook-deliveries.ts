import { Type } from 'typebox';
import { listOf, oneOf } from '../../model/schema/common.ts';
import { DeliveryDocument } from '../../model/schema/webhook.ts';
import { deliveryStates } from '../../model/webhook/records.ts';
import { answers, json, list } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { PostHeaders } from '../change.ts';
import { pageQuery, sendList } from '../list.ts';
import { pageOf } from '../page.ts';
import { NoQuery, WebhookParams } from '../params.ts';

const tags = ['time'];

const DeliveriesQuery = Type.Object(
  { ...pageQuery, state: Type.Optional(oneOf(deliveryStates)) },
  { additionalProperties: false },
);

/** What was sent to a webhook, and sending it again. */
export function addDeliveryRoutes(app: App, parts: Parts): void {
  const { webhooks, clock } = parts;
  app.get('/v1/webhooks/:name/deliveries', {
    config: { role: 'admin', produces: ['application/json', 'application/x-ndjson'] },
    schema: {
      operationId: 'listWebhookDeliveries',
      summary: 'What was sent to a webhook and how that went, newest first; the last thousand are kept',
      tags,
      params: WebhookParams,
      querystring: DeliveriesQuery,
      response: answers({ 200: list('Deliveries.', listOf(DeliveryDocument)) }),
    },
    handler: (request, reply) => {
      const { state } = request.query;
      const all = webhooks.deliveries(request.params.name);
      const wanted = state === undefined ? all : all.filter((delivery) => delivery.state === state);
      return sendList(parts, request, reply, (slice) => ({
        value: pageOf(wanted, slice),
        observedAt: clock.now(),
      }));
    },
  });
  app.post('/v1/webhooks/:name/deliveries/:id/replay', {
    config: { role: 'admin' },
    schema: {
      operationId: 'replayWebhookDelivery',
      summary: 'Send the event of a delivery again, once, out of turn, under the same webhook-id',
      tags,
      params: Type.Object({
        ...WebhookParams.properties,
        id: Type.String({ pattern: '^[1-9]\\d{0,14}$', examples: ['17'] }),
      }),
      querystring: NoQuery,
      headers: PostHeaders,
      response: answers({ 200: json('How that went.', DeliveryDocument) }),
    },
    handler: async ({ params: { name, id } }) => await webhooks.repeat(name, Number(id)),
  });
  app.post('/v1/webhooks/:name/ping', {
    config: { role: 'admin' },
    schema: {
      operationId: 'pingWebhook',
      summary: 'Send a pinfold.ping, once, in whatever state the webhook is',
      tags,
      params: WebhookParams,
      querystring: NoQuery,
      headers: PostHeaders,
      response: answers({ 200: json('How that went.', DeliveryDocument) }),
    },
    handler: async ({ params: { name } }) => await webhooks.ping(name),
  });
}
