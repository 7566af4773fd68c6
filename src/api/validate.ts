import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { PinfoldError } from '../model/error.ts';
import { type Complaint, complaintsAbout } from './complaints.ts';

/** How many complaints one answer lists. */
const complaintsMax = 16;

type Verdict = { readonly value: unknown } | { readonly error: PinfoldError };

/**
 * Compiles a schema for one part of requests. Bodies are taken as they are; in a query, where everything is
 * text, whole numbers and `true`/`false` are read where the schema wants them.
 */
export function compileValidator(route: {
  readonly schema: TSchema;
  readonly httpPart?: string;
}): (value: unknown) => Verdict {
  const { schema, httpPart = 'body' } = route;
  const compiled = Compile(schema);
  const read = httpPart === 'querystring' ? queryReader(schema) : (value: unknown) => value;
  const part = httpPart === 'querystring' ? 'query' : httpPart;
  return (given) => {
    const value = read(given ?? undefined);
    if (compiled.Check(value)) return { value };
    const errors = firstOf(complaintsAbout(schema, value)).map(({ at, detail }) => ({
      pointer: `/${part}${at}`,
      detail,
    }));
    const first = errors[0];
    const where = first === undefined ? part : `${first.pointer} ${first.detail}`;
    return {
      error: new PinfoldError('invalid_input', { detail: `The request is not valid: ${where}.`, errors }),
    };
  };
}

function firstOf(complaints: Iterable<Complaint>): readonly Complaint[] {
  const first: Complaint[] = [];
  for (const complaint of complaints) {
    if (first.push(complaint) === complaintsMax) break;
  }
  return first;
}

function queryReader(schema: TSchema): (value: unknown) => unknown {
  const wanted = new Map(
    Object.entries(propertiesOf(schema)).map(([name, property]) => [name, typeOf(property)]),
  );
  return (value) => {
    if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, text]) => [name, readText(text, wanted.get(name))]),
    );
  };
}

function readText(text: unknown, wanted: string | undefined): unknown {
  if (typeof text !== 'string') return text;
  if (wanted === 'integer' && /^\d{1,15}$/.test(text)) return Number(text);
  if (wanted === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

function propertiesOf(schema: TSchema): object {
  return 'properties' in schema && typeof schema.properties === 'object' && schema.properties !== null
    ? schema.properties
    : {};
}

function typeOf(schema: unknown): string | undefined {
  if (typeof schema !== 'object' || schema === null || !('type' in schema)) return undefined;
  return typeof schema.type === 'string' ? schema.type : undefined;
}
