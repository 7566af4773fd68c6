import { type Static, Type } from 'typebox';
import { type EntryFormat, editModes, type View } from '../word-lists.ts';
import { oneOf, Time } from './common.ts';

export { type EntryFormat, editModes, entryFormats, type View, views } from '../word-lists.ts';

/** How entries of a map are wanted; what is absent follows from the map. */
export interface EntryChoice {
  readonly format?: EntryFormat;
  readonly keyAs?: View;
  readonly valueAs?: View;
}

/** One entry; per-CPU maps have `values`, a list of `{cpu, value}`, in place of `value`. */
export const EntryDocument = Type.Object(
  {
    key: Type.Unknown({ description: 'as the format writes it' }),
    value: Type.Optional(Type.Unknown({ description: 'as the format writes it' })),
    values: Type.Optional(
      Type.Array(Type.Object({ cpu: Type.Integer(), value: Type.Unknown() }), {
        description: 'in place of `value`, for each possible CPU',
      }),
    ),
    formatted: Type.Optional(Type.Unknown({ description: '`format=bpftool` of a map with BTF' })),
  },
  { description: 'one entry of a map' },
);

/** What holds of entries read while others changed the map; docs/entries.md says what each word means. */
export const ConsistencySchema = oneOf(['per_element', 'per_bucket', 'may_repeat']);

/** A page of entries. */
export const EntryPage = Type.Object({
  items: Type.Array(EntryDocument),
  next_cursor: Type.Union([Type.String(), Type.Null()]),
  observed_at: Time,
  consistency: ConsistencySchema,
});

/** How entries were counted: by the kernel itself, not at all since every slot is there, or by reading. */
export const countMethods = ['kernel_counter', 'max_entries', 'read'] as const;
/** One of them. */
export type CountMethod = (typeof countMethods)[number];

/** How many entries a map has. */
export const EntryCount = Type.Object({
  count: Type.Integer({ minimum: 0 }),
  method: oneOf(countMethods),
  max_entries: Type.Integer({ minimum: 0 }),
  complete: Type.Boolean({ description: 'false where the map changed too much to be counted' }),
  consistency: ConsistencySchema,
  observed_at: Time,
});
export type EntryCount = Static<typeof EntryCount>;

/** The head of a queue or stack, which stays there. */
export const PeekDocument = Type.Object({
  value: Type.Unknown({ description: 'as the format writes it' }),
  observed_at: Time,
});

/** Body of `PUT /v1/maps/{id}/entries/{hex}` and `PUT /v1/maps/{id}/entry`. */
export const EntryPut = Type.Object(
  {
    value: Type.Optional(Type.Unknown({ description: 'as reads write it; of a per-CPU map, for every CPU' })),
    values: Type.Optional(
      Type.Array(
        Type.Object(
          { cpu: Type.Integer({ minimum: 0 }), value: Type.Unknown() },
          { additionalProperties: false },
        ),
        { description: 'per-CPU maps: one for each possible CPU' },
      ),
    ),
    mode: Type.Optional(oneOf(editModes)),
  },
  { additionalProperties: false, $id: 'EntryPut' },
);
export type EntryPut = Static<typeof EntryPut>;

/** What `?dry_run=true` answers for a map: what would be done, in order. */
export const MapPlanDocument = Type.Object(
  {
    plan: Type.Array(
      Type.Object({
        action: Type.String(),
        detail: Type.String(),
        hazards: Type.Array(Type.String()),
      }),
    ),
  },
  { $id: 'MapPlan' },
);
export type MapPlanDocument = Static<typeof MapPlanDocument>;
