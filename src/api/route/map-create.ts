import { Type } from 'typebox';
import { MapSpecification } from '../../model/schema/map-specification.ts';
import { MapDocument } from '../../model/schema/object.ts';
import { answers, changed } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { changeQuery, contextOf, mountQuery, PlanDocument, PostHeaders } from '../change.ts';

const CreateQuery = Type.Object(
  {
    ...changeQuery,
    ...mountQuery,
    pin: Type.Optional(
      Type.String({
        description: 'where it is pinned, if the body does not say; missing directories are made',
      }),
    ),
  },
  { additionalProperties: false },
);

const NewMap = Type.Object(
  {
    ...MapDocument.properties,
    notices: Type.Optional(
      Type.Array(Type.String(), {
        description:
          'what was done as it was asked for and may not have been meant: frozen and empty for good',
      }),
    ),
  },
  { $id: 'NewMap' },
);

/** New maps, each born with a pin. */
export function addMapCreateRoute(app: App, { agent }: Parts): void {
  app.post('/v1/maps', {
    config: { role: 'operator', bodyHasEntries: true },
    schema: {
      operationId: 'createMap',
      summary: 'Make a map of any type, fill it, freeze it, and pin it',
      tags: ['objects'],
      headers: PostHeaders,
      querystring: CreateQuery,
      body: MapSpecification,
      response: answers({
        200: changed('The plan of a dry run, for which the map was made and let go.', PlanDocument),
        201: changed('The new map.', NewMap),
      }),
    },
    handler: async (request, reply) => {
      const { pin: path, mount } = request.query;
      const named = path === undefined ? undefined : { path, parents: true };
      const pin = request.body.pin ?? named;
      const placed = pin === undefined || mount === undefined ? pin : { mount, ...pin };
      const spec = placed === undefined ? request.body : { ...request.body, pin: placed };
      const result = await agent.creation.create(spec, contextOf(request));
      if (result.plan !== undefined) {
        return { plan: result.plan.map((step) => ({ ...step, hazards: [...step.hazards] })) };
      }
      if (result.operationId !== undefined) reply.header('pinfold-operation', result.operationId);
      const { value } = agent.reads.object('map', result.mapId);
      reply.code(201).header('location', `/v1/maps/${result.mapId}`).header('etag', value.etag);
      return { ...value, ...(result.notices.length === 0 ? {} : { notices: [...result.notices] }) };
    },
  });
}
