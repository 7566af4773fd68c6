import { Type } from 'typebox';
import { listOf, Time } from '../../model/schema/common.ts';
import type { TokenRecord } from '../../model/store.ts';
import { answers, empty, json, list } from '../answers.ts';
import type { App, ServiceParts } from '../app.ts';
import { PostHeaders } from '../change.ts';
import { fleetTokensOf } from '../fleet-query.ts';
import { pageQuery, sendItems } from '../list.ts';
import { pageOf } from '../page.ts';
import { NoQuery } from '../params.ts';
import { newSecret } from '../token-secret.ts';
import { newRecord, RoleSchema, secretMember, TokenRequest } from './tokens.ts';

const described = {
  name: Type.String(),
  role: RoleSchema,
  created_at: Time,
  expires_at: Type.Union([Time, Type.Null()]),
  created_by: Type.String(),
};
const FleetToken = Type.Object(described, { $id: 'FleetToken' });
type FleetToken = Type.Static<typeof FleetToken>;
const NewFleetToken = Type.Object({ ...described, ...secretMember }, { $id: 'NewFleetToken' });

const Params = Type.Object({ name: Type.String({ description: 'the name of a token' }) });

/** Bearer tokens that are good at every manager of the fleet. */
export function addClusterTokenRoutes(app: App, parts: ServiceParts): void {
  addList(app, parts);
  addCreate(app, parts);
  addRevoke(app, parts);
}

function addList(app: App, parts: ServiceParts): void {
  app.get('/v1/cluster/tokens', {
    config: { role: 'admin', produces: ['application/json', 'application/x-ndjson'] },
    schema: {
      operationId: 'listFleetTokens',
      summary: 'Tokens of the fleet, without their secrets',
      tags: ['fleet'],
      querystring: Type.Object(pageQuery, { additionalProperties: false }),
      response: answers({ 200: list('Tokens, by name.', listOf(FleetToken)) }),
    },
    handler: (request, reply) => {
      const records = fleetTokensOf(parts).list();
      return sendItems(parts, request, reply, (slice) => ({
        value: pageOf(records.map(documentOf), slice),
        observedAt: parts.clock.now(),
      }));
    },
  });
}

function addCreate(app: App, parts: ServiceParts): void {
  app.post('/v1/cluster/tokens', {
    config: { role: 'admin', secrets: ['token'] },
    schema: {
      operationId: 'createFleetToken',
      summary: 'Make a token that every manager takes',
      tags: ['fleet'],
      querystring: NoQuery,
      headers: PostHeaders,
      body: TokenRequest,
      response: answers({ 201: json('The token with its secret.', NewFleetToken) }),
    },
    handler: async (request, reply) => {
      const secret = newSecret();
      const record = newRecord(request.body, { secret, now: parts.clock.now(), by: request.caller.actor });
      await fleetTokensOf(parts).add(record);
      reply.code(201).header('location', `/v1/cluster/tokens/${record.name}`);
      return { ...documentOf(record), token: secret };
    },
  });
}

function addRevoke(app: App, parts: ServiceParts): void {
  app.delete('/v1/cluster/tokens/:name', {
    config: { role: 'admin' },
    schema: {
      operationId: 'revokeFleetToken',
      summary: 'Revoke a token of the fleet, at all managers as soon as they hear of it',
      tags: ['fleet'],
      params: Params,
      querystring: NoQuery,
      response: answers({ 204: empty('It is revoked.') }),
    },
    handler: async (request, reply) => {
      await fleetTokensOf(parts).remove(request.params.name);
      reply.code(204);
      return undefined;
    },
  });
}

function documentOf({ name, role, createdAt, expiresAt, createdBy }: TokenRecord): FleetToken {
  return { name, role, created_at: createdAt, expires_at: expiresAt, created_by: createdBy };
}
