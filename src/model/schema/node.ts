import { type Static, Type } from 'typebox';
import { Labels, Time } from './common.ts';

/** One thing this kernel can or cannot do for Pinfold, and why not. */
export const Feature = Type.Object({
  name: Type.String(),
  available: Type.Boolean(),
  since: Type.String({ description: 'the first kernel version that has it' }),
  reason: Type.Optional(Type.String({ description: 'why it is not available, and what is lost' })),
});
export type Feature = Static<typeof Feature>;

/** What `GET /v1/node` answers. */
export const NodeDocument = Type.Object(
  {
    name: Type.String(),
    labels: Labels,
    version: Type.String(),
    boot_id: Type.String(),
    kernel: Type.Object({ release: Type.String(), machine: Type.String() }),
    features: Type.Array(Feature),
    sees_all_processes: Type.Boolean(),
    read_only: Type.Boolean(),
    pins_only: Type.Boolean(),
    cpus: Type.Object({ possible: Type.Integer(), online: Type.Integer() }),
    mounts: Type.Object({ total: Type.Integer(), shadowed: Type.Integer(), unreachable: Type.Integer() }),
    pins: Type.Integer(),
    objects: Type.Record(Type.String(), Type.Integer()),
    started_at: Time,
    observed_at: Time,
    fleet_trouble: Type.Optional(
      Type.String({ description: 'why the fleet does not hear of this node, or not of its pin sets' }),
    ),
  },
  { $id: 'Node' },
);
export type NodeDocument = Static<typeof NodeDocument>;
