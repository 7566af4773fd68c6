import { type Static, Type } from 'typebox';
import { limits } from '../limits.ts';
import { Labels, ModeText, oneOf, PathText, Time } from './common.ts';
import { EntryInput, MapSpecification } from './map-specification.ts';
import { Expectation } from './request.ts';

const closed = { additionalProperties: false } as const;
const Generation = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Name = Type.String({ minLength: 1, maxLength: limits.clusterNameCharsMax });
const Sentence = Type.String({ maxLength: 500 });

/** What is done about contents when a map must become another one. */
export const schemaChangePolicies = ['refuse', 'replace', 'copy'] as const;
/** enforce: the node makes it so · observe: it only says what differs. */
export const pinSetModes = ['enforce', 'observe'] as const;

const { pin: _pin, entries: _entries, about: _about, ...mapShape } = MapSpecification.properties;

/** A pin that must be there. It holds a map that is made where it is missing, or what is expected. */
export const DesiredPin = Type.Object(
  {
    path: PathText,
    map: Type.Optional(Type.Object(mapShape, closed)),
    expect: Type.Optional(Expectation),
    mode: Type.Optional(ModeText),
    uid: Type.Optional(Type.Integer({ minimum: 0, maximum: 0xfffffffe })),
    gid: Type.Optional(Type.Integer({ minimum: 0, maximum: 0xfffffffe })),
    labels: Type.Optional(Labels),
    owner: Type.Optional(Type.String({ minLength: 1, maxLength: limits.ownerCharsMax })),
    entries: Type.Optional(
      Type.Array(EntryInput, {
        description: 'put in when the map is made; never over what is in one already',
      }),
    ),
    protect: Type.Optional(
      Type.Boolean({ description: 'pinned again at once if someone unpins it; held by a second pin aside' }),
    ),
  },
  closed,
);
export type DesiredPin = Static<typeof DesiredPin>;

/** How a change goes from node to node. */
export const RolloutPolicy = Type.Object(
  {
    max_unavailable: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1000, description: 'nodes that change at a time; 1 unless told' }),
    ),
    canary: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 1000, description: 'nodes that must be well before any other' }),
    ),
    pause_on_failure: Type.Optional(Type.Boolean({ description: 'true unless told' })),
  },
  closed,
);
export type RolloutPolicy = Static<typeof RolloutPolicy>;

/** What nodes with some labels must have pinned: the body of `PUT /v1/cluster/pinsets/{name}`. */
export const PinSet = Type.Object(
  {
    name: Type.Optional(Name),
    selector: Type.Optional(
      Type.Unsafe<Labels>({ ...Labels, description: 'labels of the nodes; none select none' }),
    ),
    all: Type.Optional(Type.Boolean({ description: 'every node, whatever its labels' })),
    mode: Type.Optional(oneOf(pinSetModes)),
    pins: Type.Optional(Type.Array(DesiredPin, { maxItems: limits.pinSetPinsMax })),
    absent: Type.Optional(
      Type.Array(PathText, { maxItems: limits.pinSetPinsMax, description: 'what must not be pinned' }),
    ),
    on_schema_change: Type.Optional(oneOf(schemaChangePolicies)),
    rollout: Type.Optional(RolloutPolicy),
    prune: Type.Optional(
      Type.Boolean({ description: 'unpin what a former generation of this set made and this one has not' }),
    ),
  },
  { ...closed, $id: 'PinSet' },
);
export type PinSet = Static<typeof PinSet>;

/**
 * A pin set as it is stored (`desired/{pinset}`). Generations only grow; one that was deleted stays as a
 * mark, so that the next of its name is newer than what any node has applied.
 */
export const DesiredDocument = Type.Object({
  generation: Generation,
  spec: PinSet,
  time: Time,
  actor: Type.String({ maxLength: 600 }),
  former: Type.Optional(
    Type.Object({ generation: Generation, spec: PinSet }, { description: 'what a rollback makes of it' }),
  ),
  deleted: Type.Optional(
    Type.Boolean({ description: 'nodes let go of it; with `prune` they unpin what it made' }),
  ),
});
export type DesiredDocument = Static<typeof DesiredDocument>;

/** How a rollout is. */
export const rolloutStates = ['progressing', 'paused', 'done'] as const;

/**
 * Who may apply a generation (`rollout/{pinset}`). A node goes to `generation` when the state is `done`, or
 * when it is among `open`; until then it stays at what it has. Only the leading manager writes it.
 */
export const RolloutDocument = Type.Object({
  generation: Generation,
  state: oneOf(rolloutStates),
  open: Type.Array(Name, { maxItems: 1000, description: 'nodes that change now, or have failed to' }),
  reason: Type.Optional(Sentence),
  /** Set by a person, as against a pause because of a failure. */
  paused_by: Type.Optional(Type.String({ maxLength: 600 })),
  /** Who had it go on last after a pause. */
  resumed_by: Type.Optional(Type.String({ maxLength: 600 })),
  /** Failures that a person has seen and resumed over: they pause it no more. */
  tolerated: Type.Optional(Type.Array(Name, { maxItems: 1000 })),
  /** Opened to a former generation, and not known yet to have heard of this one: they count as changing. */
  settling: Type.Optional(Type.Array(Name, { maxItems: 1000 })),
  started_at: Time,
  time: Time,
});
export type RolloutDocument = Static<typeof RolloutDocument>;

/** What a node came to. */
export const pinSetStates = ['ok', 'progressing', 'drifted', 'failed'] as const;
/** One of them. */
export type PinSetState = (typeof pinSetStates)[number];

/** One thing that is not as it should be. */
export const Drift = Type.Object(
  {
    path: PathText,
    code: Type.String({ maxLength: 64, description: 'such as missing, wrong_type, max_entries, unexpected' }),
    expected: Type.Optional(Type.String({ maxLength: 200 })),
    actual: Type.Optional(Type.String({ maxLength: 200 })),
  },
  { $id: 'Drift' },
);
export type Drift = Static<typeof Drift>;

/** What a node says of a pin set (`nodes/{node}/status/{pinset}`); at most limits.pinSetStatusBytesMax. */
export const PinSetStatus = Type.Object({
  generation: Type.Unsafe<number>({ ...Generation, description: 'applied; 0 where none is' }),
  seen: Type.Unsafe<number>({ ...Generation, description: 'the newest it has heard of' }),
  state: oneOf(pinSetStates),
  drifts: Type.Array(Drift),
  more_drifts: Type.Optional(Type.Integer({ minimum: 1, description: 'those there was no room for' })),
  detail: Type.Optional(Sentence),
  ahead_of_store: Type.Optional(
    Type.Boolean({ description: 'it has applied a newer generation than the store knows, or one it lacks' }),
  ),
  time: Time,
});
export type PinSetStatus = Static<typeof PinSetStatus>;

/** What reconciling does to one path. */
export const planActions = [
  'make_map',
  'pin_again',
  'replace_map',
  'copy_map',
  'set_attributes',
  'unpin',
] as const;

/** One step a node would take, or takes. */
export const PinSetStep = Type.Object(
  {
    path: PathText,
    action: oneOf(planActions),
    detail: Type.String({ description: 'what and why, in a sentence' }),
  },
  { $id: 'PinSetStep' },
);
export type PinSetStep = Static<typeof PinSetStep>;

/**
 * What a node would do for a pin set: the answer of its own `POST /v1/pinsets/diff`, which changes nothing.
 * `drifts` is what it would not, or could not, change.
 */
export const PinSetDiff = Type.Object(
  { selected: Type.Boolean(), steps: Type.Array(PinSetStep), drifts: Type.Array(Drift), observed_at: Time },
  { $id: 'PinSetDiff' },
);
export type PinSetDiff = Static<typeof PinSetDiff>;

/** A pin set as a node has it: `GET /v1/pinsets/{name}` of the node itself, from its own database. */
export const NodePinSet = Type.Object(
  {
    name: Name,
    generation: Generation,
    spec: PinSet,
    entries_withheld: Type.Optional(
      Type.Boolean({ description: 'its pins have entries, which need the role reader to be seen' }),
    ),
    status: PinSetStatus,
    made: Type.Array(PathText, { description: 'paths of pins it made and that `prune` may remove' }),
  },
  { $id: 'NodePinSet' },
);
export type NodePinSet = Static<typeof NodePinSet>;
