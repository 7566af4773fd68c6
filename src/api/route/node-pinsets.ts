import { Type } from 'typebox';
import { listOf } from '../../model/schema/common.ts';
import { NodePinSet, PinSet, PinSetDiff } from '../../model/schema/pinset.ts';
import { answers, json, list } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { pageQuery, sendItems } from '../list.ts';
import { NoQuery } from '../params.ts';
import { shownTo } from './cluster-pinsets.ts';

const closed = { additionalProperties: false } as const;
const NameParams = Type.Object({ name: Type.String() });

/** What this node itself has of pin sets; `/v1/cluster/pinsets` is where people say what they want. */
export function addNodePinSetRoutes(app: App, parts: Parts): void {
  const { pinsets } = parts;
  app.get('/v1/pinsets', {
    config: { role: 'viewer', produces: ['application/json', 'application/x-ndjson'] },
    schema: {
      operationId: 'listNodePinSets',
      summary: 'The pin sets this node has applied, and what came of them',
      tags: ['pinsets'],
      querystring: Type.Object({ ...pageQuery }, closed),
      response: answers({ 200: list('Pin sets, by name.', listOf(NodePinSet)) }),
    },
    handler: async (request, reply) =>
      await sendItems(parts, request, reply, (slice) => {
        const { value, observedAt } = pinsets.list(slice);
        const items = value.items.map((item) => shownTo(request.caller, item));
        return { value: { ...value, items }, observedAt };
      }),
  });
  app.get('/v1/pinsets/:name', {
    config: { role: 'viewer' },
    schema: {
      operationId: 'getNodePinSet',
      summary: 'One of them',
      tags: ['pinsets'],
      params: NameParams,
      querystring: NoQuery,
      response: answers({ 200: json('The pin set as this node has it.', NodePinSet) }),
    },
    handler: async (request) => shownTo(request.caller, pinsets.get(request.params.name)),
  });
  app.post('/v1/pinsets/diff', {
    config: { role: 'viewer', isQuestion: true },
    schema: {
      operationId: 'diffNodePinSet',
      summary: 'What this node would do for a pin set; changes nothing',
      tags: ['pinsets'],
      querystring: NoQuery,
      body: PinSet,
      response: answers({ 200: json('Steps, and what would stay as it is.', PinSetDiff) }),
    },
    handler: async (request) => await pinsets.diff(request.body),
  });
}
