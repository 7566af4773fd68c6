import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { repoPath } from './repo-root.ts';

/** One operation of openapi/pinfold.json. */
export interface Operation {
  readonly method: string;
  /** The template, such as `/v1/pins/{path}`. */
  readonly path: string;
  readonly role: string;
  readonly hasBody: boolean;
}

/** What is judged of an answer; those of supertest have it. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

interface Described {
  readonly 'x-role': string;
  readonly requestBody?: unknown;
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>
  >;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

const document: Document = JSON.parse(readFileSync(repoPath('openapi', 'pinfold.json'), 'utf8'));

/** All operations of the document. */
export const operations: readonly Operation[] = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, described]) => ({
    method: method.toUpperCase(),
    path,
    role: described['x-role'],
    hasBody: described.requestBody !== undefined,
  })),
);

const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
const compiled = new Map<string, ValidateFunction>();

/**
 * Fails unless an answer is one that the document declares for the operation: its status, its media type,
 * its body, and nothing in the body that is not declared (problems apart, whose codes may add members).
 *
 * Judged by Ajv on the committed document: nothing of it is used by the server to check or to write its
 * answers.
 */
export function assertDeclared(method: string, template: string, answer: Answer): void {
  const described = document.paths[template]?.[method.toLowerCase()];
  assert.ok(described, `${method} ${template} is not in the document`);
  const status = String(answer.status);
  const declared = described.responses[status] ?? described.responses[`${status[0]}XX`];
  const title = `${method} ${template} ${status}`;
  assert.ok(declared, `${title} is not declared; it said ${answer.text}`);
  if (declared.content === undefined) {
    assert.equal(answer.text ?? '', '', `${title} has a body`);
    return;
  }
  const type = String(answer.headers['content-type']).split(';')[0] ?? '';
  const media = declared.content[type];
  assert.ok(media, `${title} is not declared as ${type}`);
  if (!type.endsWith('json') || type.includes('ndjson')) return;
  const key = `${title} ${type}`;
  const validate = compiled.get(key) ?? ajv.compile({ ...closed(media.schema), ...definitions() });
  compiled.set(key, validate);
  assert.ok(
    validate(JSON.parse(answer.text)),
    `${title}: ${ajv.errorsText(validate.errors)}\n${answer.text.slice(0, 2000)}`,
  );
}

function definitions(): object {
  const schemas = Object.entries(document.components.schemas).map(([name, schema]) => [
    name,
    name === 'Problem' ? schema : closed(schema),
  ]);
  return { components: { schemas: Object.fromEntries(schemas) } };
}

/** The same schema, with members that are not declared refused. */
function closed(schema: object): object {
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== 'object' || value === null) return value;
    const members = Object.fromEntries(Object.entries(value).map(([key, member]) => [key, walk(member)]));
    return 'properties' in members && !('additionalProperties' in members)
      ? { ...members, additionalProperties: false }
      : members;
  };
  return Object(walk(schema));
}
