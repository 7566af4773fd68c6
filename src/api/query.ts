import { Type } from 'typebox';
import { isPinfoldError, PinfoldError } from '../model/error.ts';
import { type PinPath, parsePath, parsePathBytes } from '../model/path.ts';

/** Lists below a directory. */
export const prefixQuery = {
  prefix: Type.Optional(Type.String({ description: 'whole names: a covers a and a/b, not ab' })),
  prefix_bytes: Type.Optional(
    Type.String({ description: 'the same as base64url of bytes that are not UTF-8' }),
  ),
};

/** The prefix a query names, if any. @throws PinfoldError bad_path, invalid_input */
export function parsePrefix(query: {
  readonly prefix?: string;
  readonly prefix_bytes?: string;
}): PinPath | undefined {
  const { prefix, prefix_bytes: bytes } = query;
  if (bytes !== undefined) {
    if (prefix === undefined) return at('prefix_bytes', () => parsePathBytes(decode(bytes)));
    throw invalid('prefix_bytes', 'Give prefix or prefix_bytes, not both.');
  }
  return prefix === undefined || prefix === '' ? undefined : at('prefix', () => parsePath(prefix));
}

/** Both alphabets, padded or not: answers have base64. A `+` that was not escaped comes as a space. */
function decode(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  const plain = text
    .replace(/={0,2}$/, '')
    .replaceAll('+', '-')
    .replaceAll('/', '_');
  if (bytes.toString('base64url') === plain) return bytes;
  throw invalid('prefix_bytes', 'prefix_bytes is not base64url.');
}

function invalid(name: string, detail: string): PinfoldError {
  return new PinfoldError('invalid_input', { detail, errors: [{ pointer: `/query/${name}`, detail }] });
}

/** What is wrong with a path is said of the member that gave it. */
function at(name: string, parse: () => PinPath): PinPath {
  try {
    return parse();
  } catch (error) {
    if (!isPinfoldError(error, 'bad_path')) throw error;
    const errors = [{ pointer: `/query/${name}`, detail: error.message }];
    throw new PinfoldError(error.code, { ...error.details, errors }, error);
  }
}

/** `?label=key=value`, once or several times; all must be there. */
export const labelQuery = {
  label: Type.Optional(
    Type.Union([Type.String(), Type.Array(Type.String(), { maxItems: 64 })], {
      description: '`key=value`; may be repeated',
    }),
  ),
};

/** The labels a query asks for. @throws PinfoldError invalid_input */
export function parseLabelQuery(
  given: string | readonly string[] | undefined,
): Record<string, string> | undefined {
  if (given === undefined) return undefined;
  return Object.fromEntries(
    [given].flat().map((pair) => {
      const [, key, value] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
      if (key !== undefined && value !== undefined) return [key, value] as const;
      throw invalid('label', 'label wants key=value.');
    }),
  );
}
