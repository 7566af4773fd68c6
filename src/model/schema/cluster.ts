import { type Static, Type } from 'typebox';
import { Labels, oneOf, Time } from './common.ts';

/**
 * What a node says of itself in the cluster store while it is there (`nodes/{node}/member`, under a lease).
 */
export const MemberDocument = Type.Object({
  address: Type.String({ maxLength: 300, description: 'where managers reach it: http(s)://HOST:PORT' }),
  labels: Labels,
  version: Type.String({ maxLength: 64 }),
  boot_id: Type.String({ maxLength: 64 }),
  agent: Type.String({
    maxLength: 64,
    description: 'the agent’s uuid: a second agent of this name is refused',
  }),
  sees_all_processes: Type.Boolean(),
  started_at: Time,
});
export type MemberDocument = Static<typeof MemberDocument>;

const Count = Type.Integer({ minimum: 0 });

/** What a node has, in short (`nodes/{node}/digest`); it outlives the lease. At most 1 KiB. */
export const DigestDocument = Type.Object({
  observed_at: Time,
  boot_id: Type.String({ maxLength: 64 }),
  labels: Labels,
  pins: Count,
  objects: Type.Record(Type.String({ maxLength: 16 }), Count),
  findings: Type.Record(Type.String({ maxLength: 16 }), Count),
  hash: Type.String({ maxLength: 64, description: 'of all pins: their paths and what they hold' }),
});
export type DigestDocument = Static<typeof DigestDocument>;

/** How a node is, as the manager knows it. */
export const nodeStates = ['ready', 'stale', 'gone'] as const;
/** ready: it renews its lease · stale: it does not, since a short time · gone: since long, or it left. */
export type NodeState = (typeof nodeStates)[number];

/** A node of the fleet. Times are the manager's, but `digest.observed_at` and `started_at`, the node's. */
export const FleetNode = Type.Object(
  {
    name: Type.String(),
    state: oneOf(nodeStates),
    since: Type.Unsafe<string>({
      ...Time,
      description: 'since when it is in this state, as this manager saw it',
    }),
    reason: Type.Optional(Type.String({ description: 'why it is not ready, or why this may be old' })),
    last_seen: Type.Union([Time, Type.Null()], {
      description: 'when it was known to be there last; null where this manager never saw it',
    }),
    address: Type.Optional(Type.String()),
    labels: Labels,
    version: Type.Optional(Type.String()),
    boot_id: Type.Optional(Type.String()),
    sees_all_processes: Type.Optional(Type.Boolean()),
    started_at: Type.Optional(Time),
    digest: Type.Union([
      Type.Object({
        observed_at: Time,
        pins: Count,
        objects: Type.Record(Type.String(), Count),
        findings: Type.Record(Type.String(), Count),
        hash: Type.String(),
      }),
      Type.Null(),
    ]),
  },
  { $id: 'FleetNode' },
);
export type FleetNode = Static<typeof FleetNode>;

/** A node that did not answer, and why. */
export const Unreachable = Type.Object(
  { node: Type.String(), reason: Type.String() },
  { $id: 'Unreachable' },
);
export type Unreachable = Static<typeof Unreachable>;
