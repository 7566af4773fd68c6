import { type Static, Type } from 'typebox';
import { Unreachable } from './cluster.ts';
import { Labels, oneOf, Time } from './common.ts';
import { Drift, PinSet, PinSetStep, rolloutStates } from './pinset.ts';

const Generation = Type.Integer({ minimum: 0 });
const Count = Type.Integer({ minimum: 0 });

/** How a node stands to a pin set, as the manager tells it. */
export const nodePinSetStates = ['ok', 'progressing', 'drifted', 'failed', 'unreachable'] as const;
/** One of them. */
export type NodePinSetState = (typeof nodePinSetStates)[number];

/** What a node is to the rollout of a generation. */
export const rolloutParts = [
  'waiting',
  'settling',
  'changing',
  'well',
  'failed',
  'tolerated',
  'left_out',
] as const;
/** One of them; `left_out` is a node that takes no part. */
export type RolloutPart = (typeof rolloutParts)[number];

/** Where a rollout is; absent members were never so. */
export const RolloutView = Type.Object(
  {
    generation: Generation,
    state: oneOf(rolloutStates),
    open: Type.Array(Type.String(), { description: 'nodes that change now, or have failed to' }),
    reason: Type.Optional(Type.String({ description: 'why it is paused' })),
    paused_by: Type.Optional(Type.String()),
    resumed_by: Type.Optional(Type.String({ description: 'who had it go on last' })),
    tolerated: Type.Optional(Type.Array(Type.String(), { description: 'failures a person went on over' })),
    started_at: Time,
    time: Type.Unsafe<string>({ ...Time, description: 'when it changed last' }),
  },
  { $id: 'Rollout' },
);
export type RolloutView = Static<typeof RolloutView>;

/** How many of the nodes it is meant for are how. */
export const PinSetCounts = Type.Object({
  total: Type.Unsafe<number>({ ...Count, description: 'nodes it is meant for' }),
  done: Type.Unsafe<number>({ ...Count, description: 'those that have this generation and are well' }),
  ok: Count,
  progressing: Count,
  drifted: Count,
  failed: Count,
  unreachable: Count,
});
export type PinSetCounts = Static<typeof PinSetCounts>;

const Nobody = Type.Optional(
  Type.String({ description: 'why it is meant for no node now; absent where it is meant for some' }),
);

/** A pin set as the manager tells it. */
export const PinSetDocument = Type.Object(
  {
    name: Type.String(),
    generation: Generation,
    spec: PinSet,
    entries_withheld: Type.Optional(
      Type.Boolean({ description: 'its pins have entries, which need the role reader to be seen' }),
    ),
    time: Type.Unsafe<string>({ ...Time, description: 'when it was put' }),
    actor: Type.String(),
    former_generation: Type.Optional(
      Type.Integer({ description: 'the one whose specification a rollback puts again' }),
    ),
    nodes: PinSetCounts,
    nobody: Nobody,
    rollout: Type.Union([RolloutView, Type.Null()], { description: 'null until a manager has begun it' }),
    etag: Type.String(),
  },
  { $id: 'PinSetDocument' },
);
export type PinSetDocument = Static<typeof PinSetDocument>;

/** What one node came to. */
export const PinSetOnNode = Type.Object(
  {
    node: Type.String(),
    labels: Labels,
    meant: Type.Boolean({ description: 'whether the pin set is meant for it now' }),
    generation: Type.Unsafe<number>({ ...Generation, description: 'applied; 0 where none is known to be' }),
    state: oneOf(nodePinSetStates),
    rollout: oneOf(rolloutParts),
    drifts: Type.Array(Drift),
    more_drifts: Type.Optional(Type.Integer()),
    detail: Type.Optional(Type.String()),
    ahead_of_store: Type.Optional(Type.Boolean()),
    told_at: Type.Optional(
      Type.Unsafe<string>({ ...Time, description: 'by the clock of the node; absent where it said nothing' }),
    ),
  },
  { $id: 'PinSetOnNode' },
);
export type PinSetOnNode = Static<typeof PinSetOnNode>;

/** A page of nodes, and how the whole is. */
export const PinSetStatusDocument = Type.Object(
  {
    name: Type.String(),
    generation: Generation,
    deleted: Type.Optional(Type.Boolean({ description: 'nodes let go of it' })),
    nodes: PinSetCounts,
    nobody: Nobody,
    rollout: Type.Union([RolloutView, Type.Null()]),
    items: Type.Array(PinSetOnNode),
    next_cursor: Type.Union([Type.String(), Type.Null()]),
    total: Count,
    reason: Type.Optional(Type.String({ description: 'why this may be old' })),
    observed_at: Time,
  },
  { $id: 'PinSetStatusPage' },
);
export type PinSetStatusDocument = Static<typeof PinSetStatusDocument>;

/** What each node would do. */
export const FleetPinSetDiff = Type.Object(
  {
    items: Type.Array(
      Type.Object({
        node: Type.String(),
        selected: Type.Boolean(),
        steps: Type.Array(PinSetStep),
        drifts: Type.Array(Drift),
        observed_at: Time,
      }),
    ),
    complete: Type.Boolean({ description: 'whether every node it is meant for has answered' }),
    unreachable: Type.Array(Unreachable),
    reason: Type.Optional(Type.String({ description: 'why not all nodes may be known' })),
    observed_at: Time,
  },
  { $id: 'FleetPinSetDiff' },
);
export type FleetPinSetDiff = Static<typeof FleetPinSetDiff>;

/** A pin set that nodes have and the store has not, or only in an older generation: after a restore. */
export const AdoptablePinSet = Type.Object(
  {
    name: Type.String(),
    stored_generation: Type.Union([Generation, Type.Null()], {
      description: 'null where the store has none',
    }),
    nodes: Type.Array(Type.Object({ node: Type.String(), generation: Generation, told_at: Time }), {
      description: 'who has applied what, the newest first',
    }),
  },
  { $id: 'AdoptablePinSet' },
);
export type AdoptablePinSet = Static<typeof AdoptablePinSet>;
