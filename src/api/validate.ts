import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { PinfoldError } from '../model/error.ts';

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
    const errors = complaintsOf(schema, compiled.Errors(value))
      .slice(0, complaintsMax)
      .map(({ instancePath, detail }) => ({ pointer: `/${part}${instancePath}`, detail }));
    const first = errors[0];
    const where = first === undefined ? part : `${first.pointer} ${first.detail}`;
    return {
      error: new PinfoldError('invalid_input', { detail: `The request is not valid: ${where}.`, errors }),
    };
  };
}

interface SchemaComplaint {
  readonly schemaPath: string;
  readonly instancePath: string;
  readonly message: string;
}

/** What is wrong, each thing once: of a choice of words the validator complains about every single one. */
function complaintsOf(schema: TSchema, complaints: readonly SchemaComplaint[]) {
  const told = new Map<string, { readonly instancePath: string; readonly detail: string }>();
  for (const { schemaPath, instancePath, message } of complaints) {
    const words = wordsAt(schema, schemaPath);
    const said = message === 'schema is false' ? 'is not known here' : message;
    const detail =
      words === undefined ? said : `must be ${words.length > 1 ? 'one of ' : ''}${words.join(', ')}`;
    told.set(`${instancePath} ${detail}`, { instancePath, detail });
  }
  return [...told.values()];
}

/** The words that may stand where a part of a schema is, or a choice that it is one of. */
function wordsAt(schema: TSchema, schemaPath: string): readonly string[] | undefined {
  const steps = schemaPath.split('/').slice(1);
  const at = (way: readonly string[]): unknown =>
    way.reduce<unknown>(
      (node, step) => Object(node)[step.replaceAll('~1', '/').replaceAll('~0', '~')],
      schema,
    );
  const { const: word, anyOf } = Object(at(steps));
  const choice: unknown = steps.at(-2) === 'anyOf' ? at(steps.slice(0, -1)) : anyOf;
  const members: readonly unknown[] = Array.isArray(choice) ? choice : [{ const: word }];
  const words = members.map((member) => Object(member).const).filter((each) => each !== undefined);
  const isOfWords = word !== undefined || words.length === members.length;
  return isOfWords && words.length > 0 ? words.map(String) : undefined;
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
