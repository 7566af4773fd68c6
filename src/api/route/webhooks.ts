import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { WebhookChange } from '../../agent/webhook/webhooks.ts';
import { listOf } from '../../model/schema/common.ts';
import {
  NewWebhook,
  PauseRequest,
  ReplayRequest,
  SecretRequest,
  WebhookDocument,
  WebhookRequest,
} from '../../model/schema/webhook.ts';
import { answers, empty, list, tagged } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { ChangeHeaders, contextOf, PostHeaders } from '../change.ts';
import { ReadHeaders, sendTagged } from '../etag.ts';
import { pageQuery, sendList } from '../list.ts';
import { pageOf } from '../page.ts';
import { NoQuery, WebhookParams } from '../params.ts';
import { addDeliveryRoutes } from './webhook-deliveries.ts';

const tags = ['time'];
const ActionHeaders = Type.Object({ ...ChangeHeaders.properties, ...PostHeaders.properties });

/** Receivers of events. */
export function addWebhookRoutes(app: App, parts: Parts): void {
  addList(app, parts);
  addGet(app, parts);
  addPut(app, parts);
  addDelete(app, parts);
  addStates(app, parts);
  addReplay(app, parts);
  addSecrets(app, parts);
  addDeliveryRoutes(app, parts);
}

function addList(app: App, parts: Parts): void {
  app.get('/v1/webhooks', {
    config: { role: 'admin', produces: ['application/json', 'application/x-ndjson'] },
    schema: {
      operationId: 'listWebhooks',
      summary: 'Webhooks and how they do, without their secrets',
      tags,
      querystring: Type.Object(pageQuery, { additionalProperties: false }),
      response: answers({ 200: list('Webhooks, by name.', listOf(WebhookDocument)) }),
    },
    handler: (request, reply) =>
      sendList(parts, request, reply, (slice) => ({
        value: pageOf(parts.webhooks.list(), slice),
        observedAt: parts.clock.now(),
      })),
  });
}

function addGet(app: App, { webhooks }: Parts): void {
  app.get('/v1/webhooks/:name', {
    config: { role: 'admin' },
    schema: {
      operationId: 'getWebhook',
      summary: 'A webhook and how it does',
      tags,
      params: WebhookParams,
      querystring: NoQuery,
      headers: ReadHeaders,
      response: answers({ 200: tagged('The webhook.', WebhookDocument), 304: empty('It is as it was.') }),
    },
    handler: async (request, reply) => sendTagged(request, reply, webhooks.get(request.params.name)),
  });
}

function addPut(app: App, { webhooks }: Parts): void {
  app.put('/v1/webhooks/:name', {
    config: { role: 'admin' },
    schema: {
      operationId: 'putWebhook',
      summary: 'Have events sent somewhere, or change what is sent where',
      description:
        'A new webhook is sent what happens from now on; a changed one goes on where it is. ' +
        'docs/webhooks.md says what is sent, and how a receiver knows that it is genuine.',
      tags,
      params: WebhookParams,
      querystring: NoQuery,
      headers: ChangeHeaders,
      body: WebhookRequest,
      response: answers({
        200: tagged('It was there, and is now like this.', NewWebhook),
        201: tagged('It is new.', NewWebhook),
      }),
    },
    handler: async (request, reply) => {
      const { name } = request.params;
      const { created, webhook } = webhooks.put(name, request.body, changeOf(request));
      if (created) reply.code(201).header('location', `/v1/webhooks/${name}`);
      reply.header('etag', webhook.etag);
      return webhook;
    },
  });
}

function addDelete(app: App, { webhooks }: Parts): void {
  app.delete('/v1/webhooks/:name', {
    config: { role: 'admin' },
    schema: {
      operationId: 'deleteWebhook',
      summary: 'Send no more; forget what was sent',
      tags,
      params: WebhookParams,
      querystring: NoQuery,
      headers: ChangeHeaders,
      response: answers({ 204: empty('It is gone.') }),
    },
    handler: async (request, reply) => {
      webhooks.remove(request.params.name, changeOf(request));
      reply.code(204);
      return undefined;
    },
  });
}

function addStates(app: App, { webhooks }: Parts): void {
  app.post('/v1/webhooks/:name/pause', {
    config: { role: 'admin' },
    schema: {
      operationId: 'pauseWebhook',
      summary: 'Send nothing until it is resumed; what happens meanwhile is sent then, as far as it is kept',
      tags,
      params: WebhookParams,
      querystring: NoQuery,
      headers: ActionHeaders,
      body: PauseRequest,
      response: answers({ 200: tagged('The webhook.', WebhookDocument) }),
    },
    handler: async (request, reply) => {
      const wanted = { state: 'paused', reason: request.body.reason ?? null } as const;
      const webhook = webhooks.setState(request.params.name, wanted, changeOf(request));
      reply.header('etag', webhook.etag);
      return webhook;
    },
  });
  app.post('/v1/webhooks/:name/resume', {
    config: { role: 'admin' },
    schema: {
      operationId: 'resumeWebhook',
      summary: 'Send again, at once, from where it stopped; also what its receiver had disabled by 410',
      tags,
      params: WebhookParams,
      querystring: NoQuery,
      headers: ActionHeaders,
      response: answers({ 200: tagged('The webhook.', WebhookDocument) }),
    },
    handler: async (request, reply) => {
      const wanted = { state: 'active', reason: null } as const;
      const webhook = webhooks.setState(request.params.name, wanted, changeOf(request));
      reply.header('etag', webhook.etag);
      return webhook;
    },
  });
}

function addReplay(app: App, { webhooks }: Parts): void {
  app.post('/v1/webhooks/:name/replay', {
    config: { role: 'admin' },
    schema: {
      operationId: 'replayWebhook',
      summary: 'Go on after another event: send again what came since, or leave out what came before',
      tags,
      params: WebhookParams,
      querystring: NoQuery,
      headers: ActionHeaders,
      body: ReplayRequest,
      response: answers({ 200: tagged('The webhook.', WebhookDocument) }),
    },
    handler: async (request, reply) => {
      const { name } = request.params;
      const webhook = webhooks.replay(name, request.body.since, changeOf(request));
      reply.header('etag', webhook.etag);
      return webhook;
    },
  });
}

function addSecrets(app: App, { webhooks }: Parts): void {
  app.post('/v1/webhooks/:name/secrets', {
    config: { role: 'admin', secrets: ['secret'] },
    schema: {
      operationId: 'addWebhookSecret',
      summary: 'Sign with one more secret, which is made unless it is given; the others sign as before',
      tags,
      params: WebhookParams,
      querystring: NoQuery,
      headers: ActionHeaders,
      body: SecretRequest,
      response: answers({ 201: tagged('The webhook; a secret that was made is told once.', NewWebhook) }),
    },
    handler: async (request, reply) => {
      const { name } = request.params;
      const webhook = webhooks.addSecret(name, request.body.secret, changeOf(request));
      reply.code(201).header('etag', webhook.etag);
      return webhook;
    },
  });
  app.delete('/v1/webhooks/:name/secrets/:id', {
    config: { role: 'admin' },
    schema: {
      operationId: 'deleteWebhookSecret',
      summary: 'Sign with a secret no more; the last one stays',
      tags,
      params: Type.Object({
        ...WebhookParams.properties,
        id: Type.String({ pattern: '^[0-9a-f]{12}$', examples: ['8d0c3f2a91b7'] }),
      }),
      querystring: NoQuery,
      headers: ChangeHeaders,
      response: answers({ 204: empty('It signs no more.') }),
    },
    handler: async (request, reply) => {
      const { name, id } = request.params;
      webhooks.removeSecret(name, id, changeOf(request));
      reply.code(204);
      return undefined;
    },
  });
}

/** @throws PinfoldError invalid_input */
function changeOf(request: FastifyRequest): WebhookChange {
  const { caller, ifMatch, createOnly } = contextOf(request);
  return { actor: caller.actor, ifMatch, createOnly };
}
