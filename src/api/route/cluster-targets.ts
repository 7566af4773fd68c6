import { Type } from 'typebox';
import type { FleetNode } from '../../model/schema/cluster.ts';
import { answers, json } from '../answers.ts';
import type { App, ServiceParts } from '../app.ts';
import { fleetOf, nodeChoiceOf, nodeChoiceQuery } from '../fleet-query.ts';

const Targets = Type.Array(
  Type.Object({
    targets: Type.Array(Type.String({ description: 'host:port' })),
    labels: Type.Record(Type.String(), Type.String()),
  }),
  { description: 'Prometheus’ HTTP service discovery' },
);

const TargetsQuery = Type.Object({ selector: nodeChoiceQuery.selector }, { additionalProperties: false });

/**
 * Where Prometheus scrapes the nodes (`http_sd_configs`; prometheus.io/docs/prometheus/latest/http_sd). Nodes
 * that are gone stay on the list until they are forgotten, so that their absence is an alert; one that has no
 * TCP address cannot be scraped and is left out.
 */
export function addClusterTargetsRoute(app: App, parts: ServiceParts): void {
  app.get('/v1/cluster/prometheus/targets', {
    config: { role: 'viewer' },
    schema: {
      operationId: 'listScrapeTargets',
      summary: 'Where Prometheus scrapes the nodes (http_sd)',
      tags: ['fleet'],
      querystring: TargetsQuery,
      response: answers({ 200: json('Targets, one a node.', Targets) }),
    },
    handler: async (request, reply) => {
      const { selector } = nodeChoiceOf(request.query);
      reply.type('application/json');
      return fleetOf(parts).nodes(selector).flatMap(targetOf);
    },
  });
}

function targetOf({ name, state, address, labels }: FleetNode): Type.Static<typeof Targets> {
  const url = address === undefined || !URL.canParse(address) ? undefined : new URL(address);
  if (url === undefined || url.host === '') return [];
  const told = Object.entries(labels).map(([key, value]) => [
    `__meta_pinfold_label_${metricName(key)}`,
    value,
  ]);
  return [
    {
      targets: [url.host],
      labels: {
        node: name,
        __scheme__: url.protocol.slice(0, -1),
        __meta_pinfold_state: state,
        ...Object.fromEntries(told),
      },
    },
  ];
}

/** A label's key as Prometheus can have it. */
function metricName(key: string): string {
  return key.replace(/[^A-Za-z0-9_]/g, '_');
}
