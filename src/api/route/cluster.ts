import { Type } from 'typebox';
import { parseClusterName } from '../../model/cluster/key.ts';
import { FleetNode } from '../../model/schema/cluster.ts';
import { listOf } from '../../model/schema/common.ts';
import { answers, empty, json, list } from '../answers.ts';
import type { App, ServiceParts } from '../app.ts';
import { fleetOf, nodeChoiceOf, nodeChoiceQuery } from '../fleet-query.ts';
import { pageQuery, sendItems } from '../list.ts';
import { pageOf } from '../page.ts';
import { NoQuery } from '../params.ts';
import { addClusterEventsRoute } from './cluster-events.ts';
import { addClusterListRoutes } from './cluster-lists.ts';
import { addClusterPassRoute } from './cluster-pass.ts';
import { addClusterPinSetRoutes } from './cluster-pinsets.ts';
import { addClusterRolloutRoutes } from './cluster-rollouts.ts';
import { addClusterTargetsRoute } from './cluster-targets.ts';
import { addClusterTokenRoutes } from './cluster-tokens.ts';

const NodesQuery = Type.Object(
  { ...pageQuery, selector: nodeChoiceQuery.selector },
  { additionalProperties: false },
);

/** The node of a URL. */
export const NodeParams = Type.Object({ node: Type.String({ description: 'the name of a node' }) });

/** The fleet: its nodes, what all of them have, and each of them by itself. */
export function addClusterRoutes(app: App, parts: ServiceParts): void {
  addNodes(app, parts);
  addNode(app, parts);
  addForget(app, parts);
  addClusterListRoutes(app, parts);
  addClusterEventsRoute(app, parts);
  addClusterPinSetRoutes(app, parts);
  addClusterRolloutRoutes(app, parts);
  addClusterTargetsRoute(app, parts);
  addClusterTokenRoutes(app, parts);
  addClusterPassRoute(app, parts);
}

function addNodes(app: App, parts: ServiceParts): void {
  app.get('/v1/cluster/nodes', {
    config: { role: 'viewer', produces: ['application/json', 'application/x-ndjson'] },
    schema: {
      operationId: 'listNodes',
      summary: 'The nodes of the fleet, by name',
      tags: ['fleet'],
      querystring: NodesQuery,
      response: answers({ 200: list('Nodes.', listOf(FleetNode)) }),
    },
    handler: (request, reply) => {
      const { selector } = nodeChoiceOf(request.query);
      const nodes = fleetOf(parts).nodes(selector);
      return sendItems(parts, request, reply, (slice) => ({
        value: pageOf(nodes, slice),
        observedAt: parts.clock.now(),
      }));
    },
  });
}

function addNode(app: App, parts: ServiceParts): void {
  app.get('/v1/cluster/nodes/:node', {
    config: { role: 'viewer' },
    schema: {
      operationId: 'getFleetNode',
      summary: 'One node of the fleet',
      tags: ['fleet'],
      params: NodeParams,
      querystring: NoQuery,
      response: answers({ 200: json('The node.', FleetNode) }),
    },
    handler: (request) => fleetOf(parts).node(parseClusterName(request.params.node)),
  });
}

function addForget(app: App, parts: ServiceParts): void {
  app.delete('/v1/cluster/nodes/:node', {
    config: { role: 'operator' },
    schema: {
      operationId: 'forgetNode',
      summary: 'Forget a node that is not there any more; 409 while it is',
      tags: ['fleet'],
      params: NodeParams,
      querystring: NoQuery,
      response: answers({ 204: empty('It is forgotten.') }),
    },
    handler: async (request, reply) => {
      await fleetOf(parts).forget(parseClusterName(request.params.node));
      reply.code(204);
      return undefined;
    },
  });
}
