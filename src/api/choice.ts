import { Type } from 'typebox';
import { PinfoldError } from '../model/error.ts';
import type { Json } from '../model/json.ts';
import { oneOf } from '../model/schema/common.ts';
import { type EntryChoice, type EntryFormat, entryFormats, type View, views } from '../model/schema/entry.ts';
import { assertShallow } from './json-depth.ts';
import { IdParams } from './params.ts';

/** The query members that say how entries are written, in answers and in bodies. */
export const choiceQuery = {
  format: Type.Optional(
    Type.Unsafe<EntryFormat>({
      ...oneOf(entryFormats),
      description:
        '`typed` by BTF, views or the kernel’s meaning; `raw` in hexadecimal; `bpftool` as it prints',
    }),
  ),
  key_as: Type.Optional(Type.Unsafe<View>({ ...oneOf(views), description: 'what keys are, for `typed`' })),
  value_as: Type.Optional(
    Type.Unsafe<View>({ ...oneOf(views), description: 'what values are, for `typed`' }),
  ),
};

/** `?key=`: the key of one entry. */
export const keyQuery = { key: Type.String({ description: 'the key as JSON, as `typed` writes it' }) };

/** One entry of a map by the bytes of its key. */
export const HexParams = Type.Object({
  ...IdParams.properties,
  hex: Type.String({
    pattern: '^([0-9a-fA-F]{2})+$',
    examples: ['0a000001'],
    description: 'the bytes of the key in hexadecimal',
  }),
});

/** The members of such a query. */
export interface ChoiceQueryValues {
  readonly format?: EntryFormat;
  readonly key_as?: View;
  readonly value_as?: View;
}

/** What a query says of how entries are written. */
export function choiceOf({ format, key_as: keyAs, value_as: valueAs }: ChoiceQueryValues): EntryChoice {
  return {
    ...(format === undefined ? {} : { format }),
    ...(keyAs === undefined ? {} : { keyAs }),
    ...(valueAs === undefined ? {} : { valueAs }),
  };
}

/** @throws PinfoldError invalid_input */
export function parseKey(text: string): Json {
  const pointer = '/query/key';
  let key: Json;
  try {
    key = JSON.parse(text) as Json;
  } catch (error) {
    const detail = 'key must be JSON: 5, "10.0.0.0/8", {"port":80}.';
    throw new PinfoldError('invalid_input', { detail, errors: [{ pointer, detail: 'is not JSON' }] }, error);
  }
  assertShallow(key, pointer);
  return key;
}
