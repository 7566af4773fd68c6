import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { EditResult, EntryAddress } from '../../agent/edit/map-edits.ts';
import { EntryPut, MapPlanDocument } from '../../model/schema/entry.ts';
import { MapDocument } from '../../model/schema/object.ts';
import { answers, changed, json } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { ChangeHeaders, changeQuery, contextOf, PostHeaders } from '../change.ts';
import { choiceOf, choiceQuery, HexParams, keyQuery, parseKey } from '../choice.ts';
import { IdParams } from '../params.ts';

const closed = { additionalProperties: false } as const;
const ByHexQuery = Type.Object({ ...choiceQuery, ...changeQuery }, closed);
const ByKeyQuery = Type.Object({ ...choiceQuery, ...keyQuery, ...changeQuery }, closed);
const Plan = json('The plan of a dry run.', MapPlanDocument);

/** Single entries that are written or removed, and freezing. */
export function addMapEditRoutes(app: App, parts: Parts): void {
  addPut(app, parts);
  addDelete(app, parts);
  addFreeze(app, parts);
}

function addPut(app: App, { agent }: Parts): void {
  const put = {
    tags: ['objects'],
    headers: ChangeHeaders,
    body: EntryPut,
    response: answers({
      200: Plan,
      201: changed('The entry was not there, and is now; Location says where.'),
      204: changed('The entry was there, and has this value now.'),
    }),
  };
  app.put('/v1/maps/:id/entries/:hex', {
    config: { role: 'operator', bodyHasEntries: true },
    schema: {
      ...put,
      operationId: 'putMapEntry',
      summary: 'Write one entry, by the bytes of its key',
      params: HexParams,
      querystring: ByHexQuery,
    },
    handler: async (request, reply) => {
      const { id, hex } = request.params;
      const address = { mapId: Number(id), choice: choiceOf(request.query), key: { hex } };
      return write({ agent }, { request, reply }, address, request.body);
    },
  });
  app.put('/v1/maps/:id/entry', {
    config: { role: 'operator', bodyHasEntries: true },
    schema: {
      ...put,
      operationId: 'putMapEntryByTypedKey',
      summary: 'Write one entry, by its key as JSON',
      params: IdParams,
      querystring: ByKeyQuery,
    },
    handler: async (request, reply) => {
      const address = typedAddress(request.params.id, request.query);
      return write({ agent }, { request, reply }, address, request.body);
    },
  });
}

function addDelete(app: App, { agent }: Parts): void {
  const remove = {
    tags: ['objects'],
    headers: ChangeHeaders,
    response: answers({ 200: Plan, 204: changed('It is gone.') }),
  };
  app.delete('/v1/maps/:id/entries/:hex', {
    config: { role: 'operator' },
    schema: {
      ...remove,
      operationId: 'deleteMapEntry',
      summary: 'Remove one entry, by the bytes of its key',
      params: HexParams,
      querystring: ByHexQuery,
    },
    handler: async (request, reply) => {
      const { id, hex } = request.params;
      const address = { mapId: Number(id), choice: choiceOf(request.query), key: { hex } };
      return conclude(reply, agent.edits.remove(address, contextOf(request)));
    },
  });
  app.delete('/v1/maps/:id/entry', {
    config: { role: 'operator' },
    schema: {
      ...remove,
      operationId: 'deleteMapEntryByTypedKey',
      summary: 'Remove one entry, by its key as JSON',
      params: IdParams,
      querystring: ByKeyQuery,
    },
    handler: async (request, reply) => {
      const address = typedAddress(request.params.id, request.query);
      return conclude(reply, agent.edits.remove(address, contextOf(request)));
    },
  });
}

function addFreeze(app: App, { agent }: Parts): void {
  app.post('/v1/maps/:id/freeze', {
    config: { role: 'operator' },
    schema: {
      operationId: 'freezeMap',
      summary: 'Close a map to writes from user space, for good',
      tags: ['objects'],
      params: IdParams,
      headers: PostHeaders,
      querystring: Type.Object({ ...changeQuery }, closed),
      response: answers({
        200: changed('The map, which is frozen; or the plan.', Type.Union([MapDocument, MapPlanDocument])),
      }),
    },
    handler: async (request, reply) => {
      const id = Number(request.params.id);
      const result = agent.edits.freeze(id, contextOf(request));
      const plan = planOf(reply, result);
      return plan ?? agent.reads.object('map', id).value;
    },
  });
}

function write(
  { agent }: Pick<Parts, 'agent'>,
  { request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
  address: EntryAddress,
  { mode = 'any', ...given }: EntryPut,
): MapPlanDocument | undefined {
  const result = agent.edits.put(address, given, mode, contextOf(request));
  if (!result.created) return conclude(reply, result);
  const plan = planOf(reply, result);
  if (plan !== undefined) return plan;
  reply.code(201);
  const hex = result.key?.toString('hex');
  if (hex !== undefined) reply.header('location', `/v1/maps/${address.mapId}/entries/${hex}`);
  return undefined;
}

/** Answers 204, or the plan of a dry run. */
function conclude(reply: FastifyReply, result: EditResult): MapPlanDocument | undefined {
  const plan = planOf(reply, result);
  if (plan === undefined) reply.code(204);
  return plan;
}

function planOf(reply: FastifyReply, { operationId, plan }: EditResult): MapPlanDocument | undefined {
  if (operationId !== undefined) reply.header('pinfold-operation', operationId);
  return plan && { plan: plan.map((step) => ({ ...step, hazards: [...step.hazards] })) };
}

/** A typed key wants a typed value, whatever the map's usual format is. */
function typedAddress(
  id: string,
  query: Parameters<typeof choiceOf>[0] & { readonly key: string },
): EntryAddress {
  const choice = { format: 'typed', ...choiceOf(query) } as const;
  return { mapId: Number(id), choice, key: { json: parseKey(query.key) } };
}
