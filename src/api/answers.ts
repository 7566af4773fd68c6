import { type TSchema, Type } from 'typebox';
import { ProblemSchema, problemType } from './problem.ts';

/** One answer of a route, as OpenAPI wants it described. */
export interface Answer {
  readonly description: string;
  /** Where there is no body. */
  readonly type?: 'null';
  readonly content?: Readonly<Record<string, { readonly schema: TSchema }>>;
  readonly headers?: Readonly<Record<string, object>>;
}

const operationHeader = {
  'Pinfold-Operation': { type: 'string', description: 'ask again with GET /v1/operations/{id}' },
};

/** A JSON document. */
export function json(description: string, schema: TSchema): Answer {
  return { description, content: { 'application/json': { schema } } };
}

/** A JSON document with an entity tag. */
export function tagged(description: string, schema: TSchema): Answer {
  return { ...json(description, schema), headers: { ETag: { type: 'string' } } };
}

/** What a change answers. */
export function changed(description: string, schema?: TSchema): Answer {
  return {
    ...(schema === undefined ? empty(description) : json(description, schema)),
    headers: operationHeader,
  };
}

/** Headers only, which @fastify/swagger wants to be told as a schema of nothing. */
export function empty(description: string): Answer {
  return { description, type: 'null' };
}

/** A page as JSON, or everything as NDJSON. */
export function list(description: string, page: TSchema): Answer {
  const lines = Type.String({ description: 'one item a line, and at last a line `{"summary":…}`' });
  return {
    description,
    content: { 'application/json': { schema: page }, 'application/x-ndjson': { schema: lines } },
  };
}

const problem: Answer = {
  description: 'A refusal; `code` says which.',
  content: { [problemType]: { schema: ProblemSchema } },
};

/** The answers of a route: its own, and the refusals that every route has. */
export function answers(own: Readonly<Record<number, Answer>>): Record<string, Answer> {
  return { ...own, '4xx': problem, '5xx': problem };
}
