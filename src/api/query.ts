import { Type } from 'typebox';
import { PinfoldError } from '../model/error.ts';
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
  if (query.prefix_bytes !== undefined) {
    if (query.prefix === undefined) return parsePathBytes(Buffer.from(query.prefix_bytes, 'base64url'));
    throw new PinfoldError('invalid_input', { detail: 'Give prefix or prefix_bytes, not both.' });
  }
  return query.prefix === undefined || query.prefix === '' ? undefined : parsePath(query.prefix);
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
      throw new PinfoldError('invalid_input', {
        detail: 'label wants key=value.',
        errors: [{ pointer: '/query/label', detail: 'must be key=value' }],
      });
    }),
  );
}
