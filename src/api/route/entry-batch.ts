import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { BatchInput } from '../../agent/edit/batch-input.ts';
import { PinfoldError } from '../../model/error.ts';
import { oneOf } from '../../model/schema/common.ts';
import { editModes, MapPlanDocument } from '../../model/schema/entry.ts';
import { EntryBatch, EntryBatchResult, packedType } from '../../model/schema/entry-batch.ts';
import { answers, changed } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { acceptStreams, streamOf } from '../body-stream.ts';
import { changeQuery, contextOf, PostHeaders } from '../change.ts';
import { choiceOf, choiceQuery } from '../choice.ts';
import { IdParams } from '../params.ts';

const lineType = 'application/x-ndjson';

const BatchQuery = Type.Object(
  {
    ...choiceQuery,
    ...changeQuery,
    mode: Type.Optional(oneOf(editModes)),
    op: Type.Optional(
      Type.Unsafe<'put' | 'delete'>({
        ...oneOf(['put', 'delete']),
        description: 'of a packed body: entries to write, or keys to remove',
      }),
    ),
  },
  { additionalProperties: false },
);

const streamed = (description: string) => ({ schema: Type.Unsafe<unknown>({ description }) });

/** Many entries of a map in one request, which may be as long as it likes. */
export function addEntryBatchRoute(app: App, { agent }: Parts): void {
  app.register(async (scope: App) => {
    acceptStreams(scope, [lineType, packedType]);
    scope.post('/v1/maps/:id/entries/batch', {
      config: { role: 'operator', bodyHasEntries: true },
      schema: {
        operationId: 'changeMapEntries',
        summary: 'Write and remove many entries; each is done, or fails, on its own',
        tags: ['objects'],
        params: IdParams,
        headers: PostHeaders,
        querystring: BatchQuery,
        body: {
          content: {
            'application/json': { schema: EntryBatch },
            [lineType]: streamed('an operation a line; the lines of a dump are puts'),
            [packedType]: streamed('key and value, one entry behind the other; or keys alone'),
          },
        },
        response: answers({
          200: changed('What it came to; or the plan.', Type.Union([EntryBatchResult, MapPlanDocument])),
        }),
      },
      handler: async (request, reply) => {
        const { mode = 'any' } = request.query;
        const target = { mapId: Number(request.params.id), choice: choiceOf(request.query), mode };
        const outcome = await agent.batches.run(target, inputOf(request), contextOf(request));
        if ('plan' in outcome) {
          return { plan: outcome.plan.map((step) => ({ ...step, hazards: [...step.hazards] })) };
        }
        reply.header('pinfold-operation', outcome.operation_id);
        return outcome;
      },
    });
  });
}

/** @throws PinfoldError invalid_input */
function inputOf(request: FastifyRequest): BatchInput {
  const { op }: { readonly op?: 'put' | 'delete' } = Object(request.query);
  const body = streamOf(request.body);
  const isPacked = request.headers['content-type']?.startsWith(packedType) === true;
  if (op !== undefined && !isPacked) {
    throw new PinfoldError('invalid_input', {
      detail: 'The query member op goes with a packed body; lines say for themselves what they are.',
      errors: [{ pointer: '/query/op', detail: `goes with ${packedType}` }],
    });
  }
  if (body !== undefined) {
    if (isPacked) return { kind: 'packed', body, action: op === 'delete' ? 'remove' : 'put' };
    return { kind: 'lines', body };
  }
  const { operations }: EntryBatch = Object(request.body);
  return { kind: 'operations', operations };
}
