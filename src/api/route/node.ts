import { NodeDocument } from '../../model/schema/node.ts';
import { answers, json } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { NoQuery } from '../params.ts';

/** What this machine is and what its kernel can do. */
export function addNodeRoute(app: App, { agent, pinsets }: Parts): void {
  app.get('/v1/node', {
    config: { role: 'viewer' },
    schema: {
      operationId: 'getNode',
      summary: 'This node, its kernel and what it can do',
      tags: ['node'],
      querystring: NoQuery,
      response: answers({ 200: json('The node.', NodeDocument) }),
    },
    handler: () => {
      const { trouble } = pinsets;
      return { ...agent.reads.node(), ...(trouble === undefined ? {} : { fleet_trouble: trouble }) };
    },
  });
}
