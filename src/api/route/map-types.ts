import { limits } from '../../model/limits.ts';
import { MapTypes } from '../../model/schema/map-types.ts';
import { answers, json } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { IdParams, NoQuery } from '../params.ts';

/** `GET /v1/maps/{id}/types`: as with all that BTF says, viewers do not see it. */
export function addMapTypesRoute(app: App, { agent }: Parts): void {
  app.get('/v1/maps/:id/types', {
    config: { role: 'reader' },
    handlerTimeout: limits.handlerTimeoutMs,
    schema: {
      operationId: 'getMapTypes',
      summary: 'What keys and values of a map are, in C',
      tags: ['objects'],
      params: IdParams,
      querystring: NoQuery,
      response: answers({ 200: json('The types, or why there are none.', MapTypes) }),
    },
    handler: async (request) => agent.types.ofMap(Number(request.params.id)),
  });
}
