import { type TSchema, Type } from 'typebox';
import type { ObjectQuery } from '../../agent/agent.ts';
import { parseHeldBy } from '../../model/holder/held-by.ts';
import type { ObjectKind } from '../../model/kind.ts';
import { listOf, ObjectKindSchema, oneOf } from '../../model/schema/common.ts';
import { type RuleId, ruleIds } from '../../model/schema/finding.ts';
import { BtfDocument, LinkDocument, MapDocument, ProgramDocument } from '../../model/schema/object.ts';
import { answers, empty, list, tagged } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { ReadHeaders, sendTagged } from '../etag.ts';
import { freshQuery, pageQuery, sendList } from '../list.ts';
import { IdParams, NoQuery } from '../params.ts';

const filters = {
  ...pageQuery,
  ...freshQuery,
  type: Type.Optional(Type.String({ description: 'as bpftool names it: hash, sched_cls, tcx…' })),
  name: Type.Optional(Type.String({ description: 'the object’s own name' })),
  pinned: Type.Optional(Type.Boolean({ description: 'whether a pin of it is known' })),
  held_by: Type.Optional(
    Type.String({
      maxLength: 512,
      description:
        'held with descriptors or mappings by processes: pid:812, comm:bird, unit:bird.service, ' +
        'container:ID (12 digits or more), pod:UID',
    }),
  ),
  finding: Type.Optional(oneOf(ruleIds)),
};
/** What the list of one kind is narrowed by. */
export const KindQuery = Type.Object(filters, { additionalProperties: false });
/** What the list of all objects is narrowed by. */
export const ObjectsQuery = Type.Object(
  { ...filters, kind: Type.Optional(ObjectKindSchema) },
  { additionalProperties: false },
);

/** The routes of one kind: its list, and one object by id. */
interface KindRoutes {
  readonly kind: ObjectKind;
  /** The collection in the URL. */
  readonly plural: string;
  readonly document: TSchema;
}

/** Objects of all kinds in one list. */
export function addObjectsRoute(app: App, parts: Parts): void {
  const AnyObject = Type.Union([MapDocument, ProgramDocument, LinkDocument, BtfDocument]);
  app.get('/v1/objects', {
    config: { role: 'viewer', produces: ['application/json', 'application/x-ndjson'] },
    schema: {
      operationId: 'listObjects',
      summary: 'Objects of all kinds',
      tags: ['objects'],
      querystring: ObjectsQuery,
      response: answers({ 200: list('Objects, by kind and id.', listOf(AnyObject)) }),
    },
    handler: (request, reply) => {
      const { kind, type, name, pinned, held_by: heldBy, finding } = request.query;
      const query = objectQueryOf({ kind, type, name, pinned, heldBy, finding });
      if (finding !== undefined && request.query.fresh === true) parts.agent.findings.ask();
      return sendList(parts, request, reply, (slice) => parts.agent.reads.objects(query, slice));
    },
  });
}

/** Maps, programs, links or BTF objects: every field the kernel gives, with pins and references. */
export function addKindRoutes(app: App, parts: Parts, kind: KindRoutes): void {
  addKindList(app, parts, kind);
  addKindItem(app, parts, kind);
}

/** The list of one kind. */
export function addKindList(app: App, parts: Parts, { kind, plural, document }: KindRoutes): void {
  const title = plural[0]?.toUpperCase() + plural.slice(1);
  app.get(`/v1/${plural}`, {
    config: { role: 'viewer', produces: ['application/json', 'application/x-ndjson'] },
    schema: {
      operationId: `list${title}`,
      summary: `All ${plural}`,
      tags: ['objects'],
      querystring: KindQuery,
      response: answers({ 200: list(`${title}, by id.`, listOf(document)) }),
    },
    handler: (request, reply) => {
      const { type, name, pinned, held_by: heldBy, finding } = request.query;
      const query = objectQueryOf({ kind, type, name, pinned, heldBy, finding });
      if (finding !== undefined && request.query.fresh === true) parts.agent.findings.ask();
      return sendList(parts, request, reply, (slice) => parts.agent.reads.objects(query, slice));
    },
  });
}

function addKindItem(app: App, parts: Parts, { kind, plural, document }: KindRoutes): void {
  const title = plural[0]?.toUpperCase() + plural.slice(1);
  app.get(`/v1/${plural}/:id`, {
    config: { role: 'viewer' },
    schema: {
      operationId: `get${title.slice(0, -1)}`,
      summary: `One ${kind}, read from the kernel`,
      tags: ['objects'],
      params: IdParams,
      headers: ReadHeaders,
      querystring: NoQuery,
      response: answers({
        200: tagged(`The ${kind}.`, document),
        304: empty('It is as If-None-Match says.'),
      }),
    },
    handler: async (request, reply) => {
      const { value } = parts.agent.reads.object(kind, Number(request.params.id));
      return sendTagged(request, reply, value);
    },
  });
}

function objectQueryOf(given: {
  readonly kind: ObjectKind | undefined;
  readonly type: string | undefined;
  readonly name: string | undefined;
  readonly pinned: boolean | undefined;
  readonly heldBy: string | undefined;
  readonly finding: RuleId | undefined;
}): ObjectQuery {
  const { kind, type, name, pinned, heldBy, finding } = given;
  return {
    ...(kind === undefined ? {} : { kind }),
    ...(type === undefined ? {} : { type }),
    ...(name === undefined ? {} : { name }),
    ...(pinned === undefined ? {} : { pinned }),
    ...(finding === undefined ? {} : { finding }),
    ...(heldBy === undefined ? {} : { heldBy: parseHeldBy(heldBy) }),
  };
}
