import { type Static, Type } from 'typebox';
import { Time } from './common.ts';
import { PinReference } from './object.ts';

export { type MapOrder, mapOrders } from '../word-lists.ts';

const identity = {
  id: Type.Integer(),
  type: Type.String(),
  name: Type.String(),
  pins: Type.Array(PinReference),
};

/** How a program ran while it was measured. */
export const ProgramUsage = Type.Object({
  ...identity,
  tag: Type.String(),
  run_cnt: Type.Integer({ description: 'how often it ran in that time' }),
  run_time_ns: Type.Integer({ description: 'how long it ran in that time, on all CPUs together' }),
  average_ns: Type.Optional(Type.Integer({ description: 'of one run; absent where there was none' })),
  cpu: Type.Number({ description: 'share of one CPU: 1 is as much as one CPU can give' }),
});
export type ProgramUsage = Static<typeof ProgramUsage>;

/** `GET /v1/top/programs`. */
export const TopPrograms = Type.Object(
  {
    items: Type.Array(ProgramUsage, { description: 'those that ran longest, first' }),
    duration_ms: Type.Integer({ description: 'how long it was measured' }),
    total: Type.Integer({ description: 'programs that were there all the time' }),
    observed_at: Time,
  },
  { $id: 'TopPrograms' },
);
export type TopPrograms = Static<typeof TopPrograms>;

/** What a map takes, and how full it is. */
export const MapUsage = Type.Object({
  ...identity,
  max_entries: Type.Integer(),
  memory_bytes: Type.Optional(
    Type.Integer({ description: 'what the kernel accounts to it; absent where it does not tell' }),
  ),
  entries: Type.Optional(
    Type.Integer({ description: 'absent where the kernel does not count them: see fill_unknown' }),
  ),
  fill: Type.Optional(Type.Number({ description: 'share of max_entries, from 0 to 1' })),
});
export type MapUsage = Static<typeof MapUsage>;

/** `GET /v1/top/maps`. */
export const TopMaps = Type.Object(
  {
    items: Type.Array(MapUsage, { description: 'the largest first, or the fullest' }),
    memory_bytes: Type.Integer({ description: 'of all maps together' }),
    total: Type.Integer({ description: 'maps there are' }),
    fill_unknown: Type.Optional(
      Type.String({
        description: 'why no map has entries; of types that are no hash they never are counted',
      }),
    ),
    observed_at: Time,
  },
  { $id: 'TopMaps' },
);
export type TopMaps = Static<typeof TopMaps>;
