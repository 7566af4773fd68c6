import { Type } from 'typebox';
import { listOf } from '../../model/schema/common.ts';
import { QuarantineDocument } from '../../model/schema/gc.ts';
import { answers, changed, json, list } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import {
  changeQuery,
  concludeChange,
  contextOf,
  mountQuery,
  PinOrPlan,
  PlanDocument,
  PostHeaders,
} from '../change.ts';
import { pageQuery, sendList } from '../list.ts';
import { NoQuery } from '../params.ts';
import { parsePrefix, prefixQuery } from '../query.ts';

const closed = { additionalProperties: false } as const;

const IdParams = Type.Object({
  id: Type.String({
    pattern: '^[0-9A-Z]{26}(-[0-9]{1,4})?$',
    examples: ['01M85RXK25ES98A24MMJ68EK1N'],
    description: '`id` of the pin in quarantine',
  }),
});

/** Pins that were moved aside: the list, and what becomes of each. */
export function addQuarantineRoutes(app: App, parts: Parts): void {
  addList(app, parts);
  addGet(app, parts);
  addRestore(app, parts);
  addDelete(app, parts);
}

function addList(app: App, parts: Parts): void {
  app.get('/v1/quarantine', {
    config: { role: 'viewer', produces: ['application/json', 'application/x-ndjson'] },
    schema: {
      operationId: 'listQuarantine',
      summary: 'Pins in quarantine, in the order in which they came',
      tags: ['gc'],
      querystring: Type.Object(
        {
          ...pageQuery,
          ...mountQuery,
          ...prefixQuery,
          run: Type.Optional(Type.String({ description: 'those that this clean-up took' })),
        },
        closed,
      ),
      response: answers({ 200: list('Pins in quarantine.', listOf(QuarantineDocument)) }),
    },
    handler: (request, reply) => {
      const { mount, run, ...query } = request.query;
      const prefix = parsePrefix(query);
      const filter = {
        mount,
        ...(run === undefined ? {} : { run }),
        ...(prefix === undefined ? {} : { prefix }),
      };
      return sendList(parts, request, reply, (slice) => ({
        value: parts.agent.quarantine.list(filter, slice),
        observedAt: parts.clock.now(),
      }));
    },
  });
}

function addGet(app: App, { agent }: Parts): void {
  app.get('/v1/quarantine/:id', {
    config: { role: 'viewer' },
    schema: {
      operationId: 'getQuarantined',
      summary: 'One pin in quarantine',
      tags: ['gc'],
      params: IdParams,
      querystring: NoQuery,
      response: answers({ 200: json('The pin.', QuarantineDocument) }),
    },
    handler: (request) => agent.quarantine.get(request.params.id),
  });
}

function addRestore(app: App, { agent }: Parts): void {
  app.post('/v1/quarantine/:id/restore', {
    config: { role: 'operator' },
    schema: {
      operationId: 'restorePin',
      summary: 'Give a pin the name back that it had',
      tags: ['gc'],
      params: IdParams,
      querystring: Type.Object({ dry_run: changeQuery.dry_run }, closed),
      headers: PostHeaders,
      response: answers({ 200: changed('The pin, back under its name; or the plan.', PinOrPlan) }),
    },
    handler: async (request, reply) => {
      const result = await agent.quarantine.restore(request.params.id, contextOf(request));
      return concludeChange(reply, result) ?? result.pin;
    },
  });
}

function addDelete(app: App, { agent }: Parts): void {
  app.delete('/v1/quarantine/:id', {
    config: { role: 'operator' },
    schema: {
      operationId: 'discardPin',
      summary: 'Remove a pin in quarantine for good',
      tags: ['gc'],
      params: IdParams,
      querystring: Type.Object({ ...changeQuery }, closed),
      response: answers({ 200: json('The plan of a dry run.', PlanDocument), 204: changed('It is gone.') }),
    },
    handler: async (request, reply) => {
      const result = await agent.quarantine.discard(request.params.id, contextOf(request));
      const plan = concludeChange(reply, result);
      if (plan === undefined) reply.code(204);
      return plan;
    },
  });
}
