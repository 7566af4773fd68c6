import { Type } from 'typebox';
import { PinDocument } from '../../model/schema/pin.ts';
import { BatchRequest } from '../../model/schema/request.ts';
import { answers, changed } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { changeQuery, concludeChange, contextOf, mountQuery, PlanDocument, PostHeaders } from '../change.ts';

const BatchDocument = Type.Object(
  {
    operation_id: Type.Union([Type.String(), Type.Null()], {
      description: 'null where nothing had to change',
    }),
    results: Type.Array(
      Type.Object({
        created: Type.Boolean(),
        pin: Type.Union([PinDocument, Type.Null()], {
          description: 'null where the operation leaves no pin',
        }),
      }),
    ),
  },
  { $id: 'Batch' },
);

/** Several changes, all or nothing. */
export function addBatchRoute(app: App, { agent }: Parts): void {
  app.post('/v1/batch', {
    config: { role: 'operator' },
    schema: {
      operationId: 'batch',
      summary: 'Several changes in order: all of them, or none',
      tags: ['pins'],
      querystring: Type.Object({ ...mountQuery, ...changeQuery }, { additionalProperties: false }),
      headers: PostHeaders,
      body: BatchRequest,
      response: answers({
        200: changed('What each line came to; or the plan.', Type.Union([BatchDocument, PlanDocument])),
      }),
    },
    handler: async (request, reply) => {
      const { operations } = request.body;
      const result = await agent.changes.batch(operations, request.query.mount, contextOf(request));
      const plan = concludeChange(reply, result);
      if (plan !== undefined) return plan;
      return {
        operation_id: result.operationId ?? null,
        results: (result.results ?? []).map(({ created, pin }) => ({ created, pin: pin ?? null })),
      };
    },
  });
}
