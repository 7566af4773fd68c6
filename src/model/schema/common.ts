import { type Static, Type } from 'typebox';
import { objectKinds, pinnableKinds } from '../kind.ts';
import { limits } from '../limits.ts';

/** RFC 3339 in UTC with milliseconds: `2026-11-22T10:00:00.000Z`. */
export const Time = Type.String({ format: 'date-time', examples: ['2026-11-22T10:00:00.000Z'] });

/** One of these words, with that very type: TypeBox cannot infer it from a list that was mapped. */
export function oneOf<const Word extends string>(words: readonly Word[]) {
  return Type.Unsafe<Word>(Type.Union(words.map((word) => Type.Literal(word))));
}

/** `map`, `program`, `link` or `btf`. */
export const ObjectKindSchema = oneOf(objectKinds);
/** What a pin can hold: `map`, `program` or `link`. */
export const PinnableKindSchema = oneOf(pinnableKinds);

/** Free key-value pairs that belong to a pin or a node. */
export const Labels = Type.Record(
  Type.String({ minLength: 1, maxLength: limits.labelKeyCharsMax }),
  Type.String({ maxLength: limits.labelValueCharsMax }),
  { maxProperties: limits.labelsMax },
);
export type Labels = Static<typeof Labels>;

/** Permission bits as four octal digits: `0640`. */
export const ModeText = Type.String({
  pattern: '^0?[0-7]{3,4}$',
  description: 'octal permission bits',
  examples: ['0640'],
});

/** A path in a bpffs as UTF-8 text. */
export const PathText = Type.String({ description: 'path relative to the root of the bpffs' });

/** Base64 of a path's bytes, where they are not UTF-8. */
export const PathBytes = Type.String({
  description: 'base64 of the bytes of the path, where they are not UTF-8',
});

/** What a page of a list looks like. */
export function listOf<Item extends Parameters<typeof Type.Array>[0]>(item: Item) {
  return Type.Object({
    items: Type.Array(item),
    next_cursor: Type.Union([Type.String(), Type.Null()]),
    observed_at: Time,
    total: Type.Integer({ minimum: 0 }),
  });
}
