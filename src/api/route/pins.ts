import { Type } from 'typebox';
import type { PinQuery } from '../../agent/agent.ts';
import { parseUrlPath, urlOf } from '../../model/path.ts';
import { listOf, PinnableKindSchema } from '../../model/schema/common.ts';
import { PinDocument } from '../../model/schema/pin.ts';
import { PinThenDocument } from '../../model/schema/pin-then.ts';
import { PinPatch, PinRequest } from '../../model/schema/request.ts';
import { WaitDocument } from '../../model/schema/wait.ts';
import { answers, changed, empty, json, list, tagged } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import {
  ChangeHeaders,
  changeQuery,
  concludeChange,
  contextOf,
  mountQuery,
  PinOrPlan,
  PlanDocument,
} from '../change.ts';
import { ReadHeaders, sendTagged } from '../etag.ts';
import { freshQuery, pageQuery, sendList } from '../list.ts';
import { PathParams } from '../params.ts';
import { labelQuery, parseLabelQuery, parsePrefix, prefixQuery } from '../query.ts';
import { parseThen, thenQuery } from '../then.ts';
import { parseWait, sendWait, waitQuery } from '../wait.ts';

const closed = { additionalProperties: false } as const;

/** What the list of pins is narrowed by. */
export const PinsQuery = Type.Object(
  {
    ...pageQuery,
    ...freshQuery,
    ...mountQuery,
    ...prefixQuery,
    ...labelQuery,
    kind: Type.Optional(PinnableKindSchema),
    type: Type.Optional(Type.String()),
    name: Type.Optional(Type.String()),
    id: Type.Optional(Type.Integer({ minimum: 1 })),
    owner: Type.Optional(Type.String({ description: 'empty: pins without an owner' })),
    claimed: Type.Optional(Type.Boolean({ description: 'pins that somebody claims, or that nobody does' })),
  },
  closed,
);
type PinsQuery = Type.Static<typeof PinsQuery>;

/** Pins: the list, and one by its path. */
export function addPinRoutes(app: App, parts: Parts): void {
  addList(app, parts);
  addGet(app, parts);
  addPut(app, parts);
  addPatch(app, parts);
  addDelete(app, parts);
}

function addList(app: App, parts: Parts): void {
  app.get('/v1/pins', {
    config: { role: 'viewer', produces: ['application/json', 'application/x-ndjson'] },
    schema: {
      operationId: 'listPins',
      summary: 'Pins, in byte order of their paths',
      tags: ['pins'],
      querystring: PinsQuery,
      response: answers({ 200: list('Pins.', listOf(PinDocument)) }),
    },
    handler: async (request, reply) => {
      const query = pinQueryOf(request.query);
      return await sendList(parts, request, reply, (slice) => parts.agent.reads.pins(query, slice));
    },
  });
}

function pinQueryOf(query: PinsQuery): PinQuery {
  const { kind, type, name, id, owner, claimed } = query;
  const prefix = parsePrefix(query);
  const labels = parseLabelQuery(query.label);
  return {
    mount: query.mount,
    ...(prefix === undefined ? {} : { prefix }),
    ...(kind === undefined ? {} : { kind }),
    ...(type === undefined ? {} : { type }),
    ...(name === undefined ? {} : { name }),
    ...(id === undefined ? {} : { id }),
    ...(owner === undefined ? {} : { owner }),
    ...(claimed === undefined ? {} : { claimed }),
    ...(labels === undefined ? {} : { labels }),
  };
}

function addGet(app: App, { agent }: Parts): void {
  app.get('/v1/pins/:path', {
    config: { role: 'viewer' },
    schema: {
      operationId: 'getPin',
      summary: 'What is behind a path, read from the kernel; or wait for it; or what was there then',
      tags: ['pins'],
      params: PathParams,
      querystring: Type.Object({ ...mountQuery, ...waitQuery, ...thenQuery }, closed),
      headers: ReadHeaders,
      response: answers({
        200: tagged(
          'The pin; with `for`, how the wait ended; with `at`, what the path held then.',
          Type.Union([PinDocument, WaitDocument, PinThenDocument]),
        ),
        304: empty('It is as If-None-Match says.'),
      }),
    },
    handler: async (request, reply) => {
      const path = parseUrlPath(request.params.path);
      const { mount, at, ...waiting } = request.query;
      if (at !== undefined) return agent.history.pinAt(path, mount, parseThen(at, waiting));
      const wait = parseWait(waiting);
      if (wait !== undefined) return await sendWait(agent.waits, { ...wait, path, mount }, request, reply);
      const { value } = agent.quarantine.looking(path, mount, () => agent.reads.pin(path, mount));
      return sendTagged(request, reply, value);
    },
  });
}

function addPut(app: App, { agent }: Parts): void {
  app.put('/v1/pins/:path', {
    config: { role: 'operator' },
    schema: {
      operationId: 'putPin',
      summary: 'Make it so that this path holds this object',
      tags: ['pins'],
      params: PathParams,
      querystring: Type.Object({ ...mountQuery, ...changeQuery }, closed),
      headers: ChangeHeaders,
      body: PinRequest,
      response: answers({
        200: changed('The pin, which was there already, was changed or replaced; or the plan.', PinOrPlan),
        201: changed('The new pin.', PinDocument),
      }),
    },
    handler: async (request, reply) => {
      const path = parseUrlPath(request.params.path);
      const result = await agent.changes.pin(path, request.query.mount, request.body, contextOf(request));
      const plan = concludeChange(reply, result);
      if (plan !== undefined) return plan;
      if (result.pin !== undefined) reply.header('etag', result.pin.etag);
      if (result.created) reply.code(201).header('location', `/v1/pins/${urlOf(path)}`);
      return result.pin;
    },
  });
}

function addPatch(app: App, { agent }: Parts): void {
  app.patch('/v1/pins/:path', {
    config: { role: 'operator' },
    schema: {
      operationId: 'patchPin',
      summary: 'Rename a pin, or change its mode, owner or labels',
      tags: ['pins'],
      params: PathParams,
      querystring: Type.Object({ ...mountQuery, ...changeQuery }, closed),
      headers: ChangeHeaders,
      body: PinPatch,
      response: answers({ 200: changed('The pin as it is now; or the plan.', PinOrPlan) }),
    },
    handler: async (request, reply) => {
      const path = parseUrlPath(request.params.path);
      const result = await agent.changes.patch(path, request.query.mount, request.body, contextOf(request));
      const plan = concludeChange(reply, result);
      if (plan !== undefined) return plan;
      if (result.pin !== undefined) reply.header('etag', result.pin.etag);
      return result.pin;
    },
  });
}

function addDelete(app: App, { agent }: Parts): void {
  app.delete('/v1/pins/:path', {
    config: { role: 'operator' },
    schema: {
      operationId: 'deletePin',
      summary: 'Remove a pin',
      tags: ['pins'],
      params: PathParams,
      querystring: Type.Object({ ...mountQuery, ...changeQuery }, closed),
      headers: ChangeHeaders,
      response: answers({ 200: json('The plan of a dry run.', PlanDocument), 204: changed('It is gone.') }),
    },
    handler: async (request, reply) => {
      const path = parseUrlPath(request.params.path);
      const result = await agent.changes.unpin(path, request.query.mount, contextOf(request));
      const plan = concludeChange(reply, result);
      if (plan === undefined) reply.code(204);
      return plan;
    },
  });
}
