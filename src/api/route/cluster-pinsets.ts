import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { withoutEntries } from '../../cluster/pinset/manager/documents.ts';
import type { PinSets } from '../../cluster/pinset/manager/pin-sets.ts';
import type { WishContext, WishResult } from '../../cluster/pinset/manager/wishes.ts';
import { type ClusterName, parseClusterName } from '../../model/cluster/key.ts';
import { parsePinSet } from '../../model/cluster/pinset/parse.ts';
import { type Caller, mayAct } from '../../model/role.ts';
import { listOf } from '../../model/schema/common.ts';
import { PinSet } from '../../model/schema/pinset.ts';
import { AdoptablePinSet, PinSetDocument } from '../../model/schema/pinset-fleet.ts';
import { answers, empty, list, tagged } from '../answers.ts';
import type { App, ServiceParts } from '../app.ts';
import { ChangeHeaders, changeQuery, contextOf, PlanDocument } from '../change.ts';
import { ReadHeaders, sendTagged } from '../etag.ts';
import { fleetOf } from '../fleet-query.ts';
import { pageQuery, sendItems } from '../list.ts';
import { pageOf } from '../page.ts';
import { NoQuery } from '../params.ts';

const closed = { additionalProperties: false } as const;
const PageQuery = Type.Object(pageQuery, closed);
const dryRunQuery = { dry_run: changeQuery.dry_run };

/** The pin set of a URL. */
export const PinSetParams = Type.Object({ name: Type.String({ description: 'the name of a pin set' }) });

/** A pin set as a change left it, or the plan of a dry run. */
export const PinSetOrPlan = Type.Union([PinSetDocument, PlanDocument]);

/** What nodes must have pinned: the list, each of them, and what becomes of them. */
export function addClusterPinSetRoutes(app: App, parts: ServiceParts): void {
  addList(app, parts);
  addAdoptable(app, parts);
  addGet(app, parts);
  addPut(app, parts);
  addDelete(app, parts);
}

/** The name in a URL. @throws PinfoldError invalid_input */
export function pinSetNameOf(text: string): ClusterName {
  return parseClusterName(text, 'pin set');
}

/** A document as its reader may see it: entries are contents of maps. */
export function shownTo<Told extends Pick<PinSetDocument, 'spec' | 'entries_withheld'>>(
  { role }: Caller,
  document: Told,
): Told {
  return mayAct(role, 'reader') ? document : withoutEntries(document);
}

/** Answers a change: with the pin set, or with what would be done. */
export function answerChange(
  pinSets: PinSets,
  { request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
  asked: { readonly name: ClusterName; readonly action: string; readonly result: WishResult },
): Static<typeof PinSetOrPlan> {
  const { name, action, result } = asked;
  const document = pinSets.documentOf(name, result.desired);
  if (contextOf(request).dryRun) {
    const { generation, nodes } = document;
    const detail = `${action} ${name} as generation ${generation}, meant for ${nodes.total} of the nodes`;
    return { plan: result.changed ? [{ action, path: '', detail, hazards: [] }] : [] };
  }
  reply.header('etag', document.etag);
  if (result.created) reply.code(201).header('location', `/v1/cluster/pinsets/${name}`);
  return shownTo(request.caller, document);
}

/** Who wants a change, and what must be so. @throws PinfoldError invalid_input */
export function wishOf(request: FastifyRequest): WishContext {
  return contextOf(request);
}

function addList(app: App, parts: ServiceParts): void {
  app.get('/v1/cluster/pinsets', {
    config: { role: 'viewer', produces: ['application/json', 'application/x-ndjson'] },
    schema: {
      operationId: 'listPinSets',
      summary: 'What nodes must have pinned, and how far that is',
      tags: ['fleet'],
      querystring: PageQuery,
      response: answers({ 200: list('Pin sets, by name.', listOf(PinSetDocument)) }),
    },
    handler: (request, reply) => {
      const items = fleetOf(parts).pinSets.list();
      return sendItems(parts, request, reply, (slice) => {
        const page = pageOf(items, slice);
        const shown = page.items.map((item) => shownTo(request.caller, item));
        return { value: { ...page, items: shown }, observedAt: parts.clock.now() };
      });
    },
  });
}

function addAdoptable(app: App, parts: ServiceParts): void {
  app.get('/v1/cluster/adoptable', {
    config: { role: 'viewer', produces: ['application/json', 'application/x-ndjson'] },
    schema: {
      operationId: 'listAdoptablePinSets',
      summary: 'Pin sets that nodes have applied and the store has not, or only older ones',
      tags: ['fleet'],
      querystring: PageQuery,
      response: answers({ 200: list('By name.', listOf(AdoptablePinSet)) }),
    },
    handler: (request, reply) => {
      const items = fleetOf(parts).pinSets.adoptable();
      return sendItems(parts, request, reply, (slice) => ({
        value: pageOf(items, slice),
        observedAt: parts.clock.now(),
      }));
    },
  });
}

function addGet(app: App, parts: ServiceParts): void {
  app.get('/v1/cluster/pinsets/:name', {
    config: { role: 'viewer' },
    schema: {
      operationId: 'getPinSet',
      summary: 'One pin set, as the store has it now',
      tags: ['fleet'],
      params: PinSetParams,
      querystring: NoQuery,
      headers: ReadHeaders,
      response: answers({
        200: tagged('The pin set.', PinSetDocument),
        304: empty('The caller has this generation.'),
      }),
    },
    handler: async (request, reply) => {
      const document = await fleetOf(parts).pinSets.get(pinSetNameOf(request.params.name));
      return sendTagged(request, reply, shownTo(request.caller, document));
    },
  });
}

function addPut(app: App, parts: ServiceParts): void {
  app.put('/v1/cluster/pinsets/:name', {
    config: { role: 'operator' },
    schema: {
      operationId: 'putPinSet',
      summary: 'Say what nodes must have pinned; where it is another than before, as a new generation',
      tags: ['fleet'],
      params: PinSetParams,
      querystring: Type.Object(dryRunQuery, closed),
      headers: ChangeHeaders,
      body: PinSet,
      response: answers({
        200: tagged('The pin set, which was there already; or the plan.', PinSetOrPlan),
        201: tagged('The new pin set.', PinSetDocument),
      }),
    },
    handler: async (request, reply) => {
      const { pinSets } = fleetOf(parts);
      const name = pinSetNameOf(request.params.name);
      const result = await pinSets.put(parsePinSet(request.body, name), wishOf(request));
      return answerChange(pinSets, { request, reply }, { name, action: 'put_pin_set', result });
    },
  });
}

function addDelete(app: App, parts: ServiceParts): void {
  app.delete('/v1/cluster/pinsets/:name', {
    config: { role: 'operator' },
    schema: {
      operationId: 'deletePinSet',
      summary: 'Want it no more: nodes keep what is pinned, or with prune unpin what it made',
      tags: ['fleet'],
      params: PinSetParams,
      querystring: Type.Object(
        {
          ...dryRunQuery,
          prune: Type.Optional(
            Type.Boolean({ description: 'unpin what it made; as the pin set says unless told' }),
          ),
        },
        closed,
      ),
      headers: ChangeHeaders,
      response: answers({ 200: tagged('The plan.', PlanDocument), 204: empty('Nodes let go of it.') }),
    },
    handler: async (request, reply) => {
      const { pinSets } = fleetOf(parts);
      const name = pinSetNameOf(request.params.name);
      const result = await pinSets.delete(name, request.query.prune, wishOf(request));
      if (request.query.dry_run !== true) {
        reply.code(204);
        return undefined;
      }
      const { generation } = result.desired;
      const detail = `delete ${name} by a mark with generation ${generation}`;
      return { plan: [{ action: 'delete_pin_set', path: '', detail, hazards: [] }] };
    },
  });
}
