import { type Static, Type } from 'typebox';
import type { SpecifiedChoice } from '../../agent/specification/reads.ts';
import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import { parsePath } from '../../model/path.ts';
import { listOf, oneOf } from '../../model/schema/common.ts';
import { MapSpecification } from '../../model/schema/map-specification.ts';
import {
  ProgramSpecification,
  StoredSpecificationItem,
  specifiedKinds,
} from '../../model/schema/specification.ts';
import type { SpecificationQuery } from '../../model/store.ts';
import { answers, json, list } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { pageQuery, sendList } from '../list.ts';
import { IdParams } from '../params.ts';

const fingerprint = Type.Optional(
  Type.String({
    maxLength: 1024,
    description: 'which of the objects that had this id; the last one unless told',
  }),
);

const ProgramQuery = Type.Object({ fingerprint }, { additionalProperties: false });

const MapQuery = Type.Object(
  {
    fingerprint,
    entries: Type.Optional(
      Type.Boolean({ description: 'with what is in it, as bytes; what cannot be read is named' }),
    ),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: limits.pageItemsMax,
        description: `entries at most, ${limits.pageItemsDefault} unless told`,
      }),
    ),
  },
  { additionalProperties: false },
);

const ListQuery = Type.Object(
  {
    ...pageQuery,
    kind: Type.Optional(oneOf(specifiedKinds)),
    id: Type.Optional(Type.Integer({ minimum: 1 })),
    name: Type.Optional(Type.String({ description: 'the object’s own name' })),
    path: Type.Optional(Type.String({ description: 'where it is or was pinned, in any instance' })),
    state: Type.Optional(oneOf(['present', 'gone'])),
  },
  { additionalProperties: false },
);

/** What maps and programs were made with, also of those that are gone. */
export function addSpecificationRoutes(app: App, parts: Parts): void {
  addMapSpecification(app, parts);
  addProgramSpecification(app, parts);
  addSpecificationList(app, parts);
}

/** Types come with source lines, and entries are contents: viewers see neither. */
function addMapSpecification(app: App, { agent }: Parts): void {
  app.get('/v1/maps/:id/spec', {
    config: { role: 'reader' },
    handlerTimeout: limits.handlerTimeoutMs,
    schema: {
      operationId: 'getMapSpecification',
      summary: 'All that a map was made with: the body of POST /v1/maps',
      tags: ['objects'],
      params: IdParams,
      querystring: MapQuery,
      response: answers({
        200: json(
          'Posted with a pin it makes an equal map; `about.state` says whether this one is still there.',
          MapSpecification,
        ),
      }),
    },
    handler: async (request) => {
      const { entries = false, limit, ...query } = request.query;
      if (limit !== undefined && !entries) {
        throw new PinfoldError('invalid_input', { detail: 'limit is how many entries; give entries=true.' });
      }
      const entriesMax = entries ? (limit ?? limits.pageItemsDefault) : undefined;
      return await agent.specifications.map(choiceOf(request.params.id, query), entriesMax);
    },
  });
}

function addProgramSpecification(app: App, { agent }: Parts): void {
  app.get('/v1/programs/:id/spec', {
    config: { role: 'reader' },
    handlerTimeout: limits.handlerTimeoutMs,
    schema: {
      operationId: 'getProgramSpecification',
      summary: 'What a program was loaded with, as far as the kernel has kept it',
      tags: ['objects'],
      params: IdParams,
      querystring: ProgramQuery,
      response: answers({
        200: json('`about.not_recoverable` names what it would take to load it again.', ProgramSpecification),
      }),
    },
    handler: async (request) =>
      await agent.specifications.program(choiceOf(request.params.id, request.query)),
  });
}

function addSpecificationList(app: App, parts: Parts): void {
  app.get('/v1/specifications', {
    config: { role: 'viewer', produces: ['application/json', 'application/x-ndjson'] },
    schema: {
      operationId: 'listSpecifications',
      summary: 'Maps and programs whose specification is stored, newest first, with those that are gone',
      tags: ['objects'],
      querystring: ListQuery,
      response: answers({ 200: list('Stored specifications.', listOf(StoredSpecificationItem)) }),
    },
    handler: async (request, reply) => {
      const query = listQueryOf(request.query);
      return await sendList(parts, request, reply, (slice) => ({
        value: parts.agent.specifications.list(query, slice),
        observedAt: parts.clock.now(),
      }));
    },
  });
}

function choiceOf(id: string, query: { readonly fingerprint?: string }): SpecifiedChoice {
  return { id: Number(id), ...query };
}

function listQueryOf(given: Static<typeof ListQuery>): Omit<SpecificationQuery, 'limit' | 'before'> {
  const { kind, id, name, path, state } = given;
  return {
    ...(kind === undefined ? {} : { kind }),
    ...(id === undefined ? {} : { id }),
    ...(name === undefined ? {} : { name }),
    ...(path === undefined ? {} : { path: parsePath(path) }),
    ...(state === undefined ? {} : { state }),
  };
}
