import { type Static, Type } from 'typebox';
import { limits } from '../limits.ts';
import { Labels, ModeText, PathBytes, PathText } from './common.ts';

const closed = { additionalProperties: false } as const;
const Id = Type.Integer({ minimum: 1, maximum: 0x7fffffff });

/** What the caller expects the source to be; compared on the descriptor that is held. */
export const Expectation = Type.Object(
  {
    kind: Type.Optional(Type.String()),
    name: Type.Optional(Type.String()),
    type: Type.Optional(Type.String()),
    tag: Type.Optional(Type.String()),
    fingerprint: Type.Optional(Type.String()),
  },
  closed,
);
export type Expectation = Static<typeof Expectation>;

const Expect = Type.Optional(Expectation);

/** Where the object comes from: a kernel id, another pin, or a descriptor of a process (pidfd_getfd). */
export const Source = Type.Union([
  Type.Object(
    {
      kind: Type.Union([Type.Literal('map'), Type.Literal('program'), Type.Literal('link')]),
      id: Id,
      expect: Expect,
    },
    closed,
  ),
  Type.Object({ pin: PathText, mount: Type.Optional(Type.String()), expect: Expect }, closed),
  Type.Object({ pin_bytes: PathBytes, mount: Type.Optional(Type.String()), expect: Expect }, closed),
  Type.Object(
    {
      pid: Type.Integer({ minimum: 1, maximum: 4194304 }),
      fd: Type.Integer({ minimum: 0, maximum: 0x7fffffff }),
      start_time: Type.Optional(
        Type.Integer({ minimum: 0, description: 'field 22 of /proc/PID/stat, clock ticks' }),
      ),
      expect: Expect,
    },
    closed,
  ),
]);
export type Source = Static<typeof Source>;

const Owner = Type.Union([Type.String({ minLength: 1, maxLength: limits.ownerCharsMax }), Type.Null()]);
const UserId = Type.Integer({ minimum: 0, maximum: 0xfffffffe });

const attributes = {
  mode: Type.Optional(ModeText),
  uid: Type.Optional(UserId),
  gid: Type.Optional(UserId),
  labels: Type.Optional(Labels),
  owner: Type.Optional(Owner),
};

/** Body of `PUT /v1/pins/{path}`. */
export const PinRequest = Type.Object(
  {
    source: Source,
    parents: Type.Optional(Type.Boolean({ description: 'make missing directories' })),
    replace: Type.Optional(Type.Boolean({ description: 'atomically displace another object that is there' })),
    ...attributes,
  },
  { ...closed, $id: 'PinRequest' },
);
export type PinRequest = Static<typeof PinRequest>;

/** Body of `PATCH /v1/pins/{path}`. */
export const PinPatch = Type.Object(
  {
    path: Type.Optional(PathText),
    path_bytes: Type.Optional(PathBytes),
    parents: Type.Optional(Type.Boolean()),
    replace: Type.Optional(Type.Boolean()),
    ...attributes,
  },
  { ...closed, $id: 'PinPatch' },
);
export type PinPatch = Static<typeof PinPatch>;

/** Body of `PUT /v1/directories/{path}`. */
export const DirectoryRequest = Type.Object(
  {
    parents: Type.Optional(Type.Boolean()),
    mode: Type.Optional(ModeText),
    uid: Type.Optional(UserId),
    gid: Type.Optional(UserId),
  },
  { ...closed, $id: 'DirectoryRequest' },
);
export type DirectoryRequest = Static<typeof DirectoryRequest>;

const at = { path: Type.Optional(PathText), path_bytes: Type.Optional(PathBytes) };
const IfMatch = Type.Optional(Type.String());

/** One line of a batch: the same words as the single requests, with `op` and the path. */
export const BatchOperation = Type.Union([
  Type.Object(
    {
      op: Type.Literal('pin'),
      ...at,
      ...PinRequest.properties,
      if_match: IfMatch,
      if_none_match: Type.Optional(Type.Literal('*')),
    },
    closed,
  ),
  Type.Object({ op: Type.Literal('unpin'), ...at, if_match: IfMatch }, closed),
  Type.Object(
    {
      op: Type.Literal('rename'),
      ...at,
      to: Type.Optional(PathText),
      to_bytes: Type.Optional(PathBytes),
      parents: Type.Optional(Type.Boolean()),
      replace: Type.Optional(Type.Boolean()),
      if_match: IfMatch,
    },
    closed,
  ),
  Type.Object({ op: Type.Literal('attributes'), ...at, ...attributes, if_match: IfMatch }, closed),
  Type.Object({ op: Type.Literal('mkdir'), ...at, ...DirectoryRequest.properties }, closed),
  Type.Object({ op: Type.Literal('rmdir'), ...at }, closed),
]);
export type BatchOperation = Static<typeof BatchOperation>;

/** Body of `POST /v1/batch`. */
export const BatchRequest = Type.Object(
  {
    operations: Type.Array(BatchOperation, { minItems: 1, maxItems: limits.batchOperationsMax }),
    atomic: Type.Optional(Type.Literal(true)),
  },
  { ...closed, $id: 'BatchRequest' },
);
export type BatchRequest = Static<typeof BatchRequest>;
