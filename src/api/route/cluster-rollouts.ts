import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { type Asking, diffOnNodes, readPinSetOf } from '../../cluster/pinset/manager/ask-nodes.ts';
import { countsOf, meantForNobody, rolloutView } from '../../cluster/pinset/manager/documents.ts';
import { parseClusterName } from '../../model/cluster/key.ts';
import { type NamedPinSet, parsePinSet } from '../../model/cluster/pinset/parse.ts';
import { limits } from '../../model/limits.ts';
import { PinSet } from '../../model/schema/pinset.ts';
import { FleetPinSetDiff, PinSetDocument, PinSetStatusDocument } from '../../model/schema/pinset-fleet.ts';
import { answers, json, tagged } from '../answers.ts';
import type { App, ServiceParts } from '../app.ts';
import { ChangeHeaders, changeQuery, PostHeaders } from '../change.ts';
import { deadlineOf, deadlineQuery, fleetOf } from '../fleet-query.ts';
import { createCursor, pageQuery } from '../list.ts';
import { pageOf } from '../page.ts';
import { NoQuery } from '../params.ts';
import {
  answerChange,
  PinSetOrPlan,
  PinSetParams,
  pinSetNameOf,
  shownTo,
  wishOf,
} from './cluster-pinsets.ts';

const closed = { additionalProperties: false } as const;
const DiffQuery = Type.Object(deadlineQuery, closed);
const DryRunQuery = Type.Object({ dry_run: changeQuery.dry_run }, closed);
const WishHeaders = Type.Object({ ...ChangeHeaders.properties, ...PostHeaders.properties });
const Adoption = Type.Object(
  { node: Type.String({ description: 'the node whose specification is taken' }) },
  { ...closed, $id: 'Adoption' },
);

/** What becomes of a pin set on its nodes, and what a person does about it. */
export function addClusterRolloutRoutes(app: App, parts: ServiceParts): void {
  addStatus(app, parts);
  addDiffOfStored(app, parts);
  addDiff(app, parts);
  addPause(app, parts);
  addResume(app, parts);
  addRollback(app, parts);
  addAdopt(app, parts);
}

function addStatus(app: App, parts: ServiceParts): void {
  app.get('/v1/cluster/pinsets/:name/status', {
    config: { role: 'viewer' },
    schema: {
      operationId: 'getPinSetStatus',
      summary: 'What each node came to, and where the rollout is',
      tags: ['fleet'],
      params: PinSetParams,
      querystring: Type.Object(pageQuery, closed),
      response: answers({ 200: json('Nodes, by name.', PinSetStatusDocument) }),
    },
    handler: async (request) => {
      const { pinSets } = fleetOf(parts);
      const name = pinSetNameOf(request.params.name);
      const seen = await pinSets.status(name);
      const { desired, rollout, items } = seen;
      const { limit = limits.pageItemsDefault, cursor: given } = request.query;
      const cursor = createCursor(request);
      const page = pageOf(items, { after: cursor.parse(given), limit });
      const { trouble } = pinSets;
      return {
        ...{ name, generation: desired.generation },
        ...(desired.deleted === true ? { deleted: true } : {}),
        nodes: countsOf(items, desired.deleted),
        ...meantForNobody(seen),
        rollout: rollout === undefined ? null : rolloutView(rollout),
        items: [...page.items],
        next_cursor: cursor.format(page.next),
        total: page.total,
        ...(trouble === undefined ? {} : { reason: trouble }),
        observed_at: parts.clock.now().toISOString(),
      };
    },
  });
}

function addDiffOfStored(app: App, parts: ServiceParts): void {
  app.get('/v1/cluster/pinsets/:name/diff', {
    config: { role: 'viewer' },
    schema: {
      operationId: 'diffStoredPinSet',
      summary: 'What each node would do, or does, to be as the stored pin set says',
      tags: ['fleet'],
      params: PinSetParams,
      querystring: DiffQuery,
      response: answers({ 200: json('By node.', FleetPinSetDiff) }),
    },
    handler: async (request, reply) => {
      const name = pinSetNameOf(request.params.name);
      const { spec } = await fleetOf(parts).pinSets.desired(name);
      return await sendDiff(parts, { ...spec, name }, askingOf(request, reply));
    },
  });
}

function addDiff(app: App, parts: ServiceParts): void {
  app.post('/v1/cluster/pinsets/:name/diff', {
    config: { role: 'viewer', isQuestion: true },
    schema: {
      operationId: 'diffPinSet',
      summary: 'What each node would do if this were put; nothing is changed',
      tags: ['fleet'],
      params: PinSetParams,
      querystring: DiffQuery,
      body: PinSet,
      response: answers({ 200: json('By node.', FleetPinSetDiff) }),
    },
    handler: async (request, reply) => {
      const name = pinSetNameOf(request.params.name);
      return await sendDiff(parts, parsePinSet(request.body, name), askingOf(request, reply));
    },
  });
}

async function sendDiff(parts: ServiceParts, spec: NamedPinSet, asking: Asking): Promise<FleetPinSetDiff> {
  const fleet = fleetOf(parts);
  const { items, unreachable } = await diffOnNodes(fleet, spec, asking);
  const { trouble } = fleet;
  return {
    items,
    complete: unreachable.length === 0 && trouble === undefined,
    unreachable,
    ...(trouble === undefined ? {} : { reason: trouble }),
    observed_at: parts.clock.now().toISOString(),
  };
}

function askingOf(request: FastifyRequest, reply: FastifyReply): Asking {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return { caller: request.caller, deadlineMs: deadlineOf(Object(request.query)), signal: gone.signal };
}

function addPause(app: App, parts: ServiceParts): void {
  app.post('/v1/cluster/pinsets/:name/pause', {
    config: { role: 'operator' },
    schema: {
      operationId: 'pauseRollout',
      summary: 'Open no more nodes, until it is resumed; those that change go on',
      tags: ['fleet'],
      params: PinSetParams,
      querystring: NoQuery,
      headers: PostHeaders,
      response: answers({ 200: json('The pin set.', PinSetDocument) }),
    },
    handler: async ({ params, caller }) =>
      shownTo(caller, await fleetOf(parts).pinSets.pause(pinSetNameOf(params.name), caller)),
  });
}

function addResume(app: App, parts: ServiceParts): void {
  app.post('/v1/cluster/pinsets/:name/resume', {
    config: { role: 'operator' },
    schema: {
      operationId: 'resumeRollout',
      summary: 'Go on with a paused rollout, over the failures there are now',
      tags: ['fleet'],
      params: PinSetParams,
      querystring: NoQuery,
      headers: PostHeaders,
      response: answers({ 200: json('The pin set.', PinSetDocument) }),
    },
    handler: async ({ params, caller }) =>
      shownTo(caller, await fleetOf(parts).pinSets.resume(pinSetNameOf(params.name), caller)),
  });
}

function addRollback(app: App, parts: ServiceParts): void {
  app.post('/v1/cluster/pinsets/:name/rollback', {
    config: { role: 'operator' },
    schema: {
      operationId: 'rollBackPinSet',
      summary: 'Want again what was wanted before, as a new generation; also what was deleted',
      tags: ['fleet'],
      params: PinSetParams,
      querystring: DryRunQuery,
      headers: WishHeaders,
      response: answers({
        200: tagged('The pin set; or the plan.', PinSetOrPlan),
        201: tagged('The pin set, which had been deleted.', PinSetDocument),
      }),
    },
    handler: async (request, reply) => {
      const { pinSets } = fleetOf(parts);
      const name = pinSetNameOf(request.params.name);
      const result = await pinSets.rollBack(name, wishOf(request));
      return answerChange(pinSets, { request, reply }, { name, action: 'roll_back_pin_set', result });
    },
  });
}

function addAdopt(app: App, parts: ServiceParts): void {
  app.post('/v1/cluster/pinsets/:name/adopt', {
    config: { role: 'operator' },
    schema: {
      operationId: 'adoptPinSet',
      summary: 'Want what a node has applied, which the store lost; as a new generation',
      tags: ['fleet'],
      params: PinSetParams,
      querystring: DryRunQuery,
      headers: WishHeaders,
      body: Adoption,
      response: answers({
        200: tagged('The pin set; or the plan.', PinSetOrPlan),
        201: tagged('The pin set, which the store did not have.', PinSetDocument),
      }),
    },
    handler: async (request, reply) => {
      const fleet = fleetOf(parts);
      const name = pinSetNameOf(request.params.name);
      const node = parseClusterName(request.body.node);
      const { spec } = await readPinSetOf(fleet, { node, name }, askingOf(request, reply));
      const result = await fleet.pinSets.put(parsePinSet(spec, name), wishOf(request));
      return answerChange(fleet.pinSets, { request, reply }, { name, action: 'adopt_pin_set', result });
    },
  });
}
