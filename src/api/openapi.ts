import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';

/**
 * The media types that answers and refusals come in are declared with each route; the rest of the document
 * is here.
 */
export function openapiOptions(version: string, title: string): FastifyDynamicSwaggerOptions {
  return {
    convertConstToEnum: false,
    openapi: {
      openapi: '3.1.0',
      info: {
        title,
        version,
        description:
          'Sees, shares, keeps and cleans up pinned BPF maps, programs and links of one node. ' +
          'Every refusal is a problem document (RFC 9457) with a stable `code`; docs/errors.md lists them.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/', description: 'the agent that serves this document' }],
      security: [{ bearer: [] }],
      tags: [
        { name: 'node', description: 'this machine, its kernel and its bpffs instances' },
        { name: 'pins', description: 'names in a bpffs that hold objects' },
        { name: 'objects', description: 'maps, programs, links and BTF in the kernel' },
        { name: 'findings', description: 'what is worth a person’s attention' },
        { name: 'time', description: 'history and operations' },
        { name: 'fleet', description: 'all nodes together, through a manager' },
        { name: 'service', description: 'the agent itself' },
      ],
      components: {
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            description: 'A token. On the unix socket the caller’s uid is enough.',
          },
        },
      },
    },
    transform: ({ schema, url, route }) => {
      const role = route.config?.role;
      const own = { 'x-role': role, ...(role === 'open' ? { security: [] } : {}) };
      return { schema: Object.assign({}, mapMembers(schema, markName), own), url };
    },
    transformObject: (document) => {
      if (!('openapiObject' in document)) return document.swaggerObject;
      return hoist(document.openapiObject);
    },
  };
}

/** What a schema's name is kept under while @fastify/swagger, which drops `$id`, is at work. */
const nameMark = 'x-pinfold-name';

function markName(members: Members): unknown {
  const { $id, ...others } = members;
  return typeof $id === 'string' ? { ...others, [nameMark]: $id } : members;
}

/**
 * Moves every schema that has a name to components and leaves a reference, so that clients get one type for
 * one thing.
 */
function hoist<Document extends { components?: object | undefined }>(document: Document): Document {
  const schemas: Record<string, unknown> = {};
  const walked = mapMembers(document, (members) => {
    const { [nameMark]: name, ...others } = members;
    if (typeof name !== 'string') return members;
    schemas[name] = others;
    return { $ref: `#/components/schemas/${name}` };
  });
  const sorted = Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1)));
  return Object.assign({}, document, walked, { components: { ...document.components, schemas: sorted } });
}

type Members = Readonly<Record<string, unknown>>;

/** A copy of a JSON value in which each object, innermost first, is replaced by what `change` makes of it. */
function mapMembers(value: unknown, change: (members: Members) => unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => mapMembers(item, change));
  if (typeof value !== 'object' || value === null) return value;
  return change(
    Object.fromEntries(Object.entries(value).map(([key, member]) => [key, mapMembers(member, change)])),
  );
}
