import { Type } from 'typebox';
import { PinfoldError } from '../../model/error.ts';
import { OperationDocument } from '../../model/schema/operation.ts';
import { answers, json } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { NoQuery } from '../params.ts';

/** What a change came to, for whoever lost its answer. */
export function addOperationRoute(app: App, { agent }: Parts): void {
  app.get('/v1/operations/:id', {
    config: { role: 'viewer' },
    schema: {
      operationId: 'getOperation',
      summary: 'What a change came to: applied, not applied, or unknown',
      tags: ['time'],
      params: Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) }),
      querystring: NoQuery,
      response: answers({ 200: json('The operation.', OperationDocument) }),
    },
    handler: async (request) => {
      const operation = agent.changes.operation(request.params.id);
      if (operation !== undefined) return operation;
      throw new PinfoldError('operation_not_found', {
        detail: 'No operation of this id is known; old ones are forgotten.',
      });
    },
  });
}
