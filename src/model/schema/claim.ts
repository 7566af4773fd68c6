import { type Static, Type } from 'typebox';
import { limits } from '../limits.ts';
import { Labels, oneOf, PathBytes, PathText, PinnableKindSchema, Time } from './common.ts';

const closed = { additionalProperties: false } as const;

/** A path to claim: its text, or its bytes where they are not UTF-8. */
const ClaimedPathRequest = Type.Union([
  PathText,
  Type.Object({ path: PathText }, closed),
  Type.Object({ path_bytes: PathBytes }, closed),
]);

/** Body of `PUT /v1/claims/{owner}`; of a claim that is there, what is left out stays. */
export const ClaimRequest = Type.Object(
  {
    pins: Type.Optional(
      Type.Array(ClaimedPathRequest, {
        minItems: 1,
        maxItems: limits.claimPinsMax,
        description: 'paths; they need not hold a pin yet. Needed where there is no claim',
      }),
    ),
    lease: Type.Optional(
      Type.Union(
        [Type.String({ pattern: '^\\d{1,9}(ms|s|m|h|d)$', examples: ['30s', '10m', '2h'] }), Type.Null()],
        {
          description: 'how long it stands without being renewed, such as 10m; null: until it is released',
        },
      ),
    ),
    labels: Type.Optional(Labels),
    adopt: Type.Optional(
      Type.Boolean({ description: 'what is at the paths now is what is claimed, though it was replaced' }),
    ),
  },
  { ...closed, $id: 'ClaimRequest' },
);
export type ClaimRequest = Static<typeof ClaimRequest>;

const ClaimedObject = Type.Object({
  kind: PinnableKindSchema,
  id: Type.Integer(),
  type: Type.String(),
  name: Type.String(),
  fingerprint: Type.String(),
});

/** What became of a claimed path. */
export const claimedStates = ['present', 'absent', 'replaced', 'unknown'] as const;

const ClaimedPin = Type.Object({
  path: PathText,
  path_bytes: Type.Optional(PathBytes),
  state: oneOf(claimedStates),
  reason: Type.Optional(Type.String({ description: 'why the state is unknown' })),
  claimed: Type.Union([ClaimedObject, Type.Null()], {
    description: 'what was there when it was claimed; null where nothing was',
  }),
  present: Type.Union([ClaimedObject, Type.Null()], { description: 'what is there now' }),
});

/** An owner's claim, with what its paths hold. */
export const ClaimDocument = Type.Object(
  {
    owner: Type.String(),
    owner_bytes: Type.Optional(
      Type.String({ description: 'base64 of the bytes of the owner, where they are not UTF-8' }),
    ),
    id: Type.String({ description: 'the operation that made it' }),
    mount: Type.Union([Type.String(), Type.Null()], {
      description: 'major:minor of the instance; null where none is mounted at present',
    }),
    pins: Type.Array(ClaimedPin),
    lease: Type.Union([Type.String(), Type.Null()]),
    renew_interval: Type.Union([Type.String(), Type.Null()], {
      description: 'renew as often as this: also a restarted agent waits so long for it',
    }),
    remaining_ms: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
      description: 'until it expires, by a clock that nobody can set',
    }),
    expires_at: Type.Union([Time, Type.Null()], {
      description: 'the same as a time of day, which moves when somebody sets the clock',
    }),
    labels: Labels,
    made_at: Time,
    renewed_at: Time,
    renewed_by: Type.String(),
    observed_at: Time,
    etag: Type.String(),
  },
  { $id: 'Claim' },
);
export type ClaimDocument = Static<typeof ClaimDocument>;

const ReleasedPath = { path: PathText, path_bytes: Type.Optional(PathBytes) };

/** Why a release left a path alone. */
export const keptReasons = ['claimed', 'replaced', 'absent', 'unknown'] as const;

/** What `DELETE /v1/claims/{owner}?unpin=unclaimed` did. */
export const ReleaseDocument = Type.Object(
  {
    owner: Type.String(),
    owner_bytes: Type.Optional(Type.String()),
    unpinned: Type.Array(Type.Object(ReleasedPath)),
    kept: Type.Array(
      Type.Object({
        ...ReleasedPath,
        reason: oneOf(keptReasons),
        detail: Type.String(),
      }),
    ),
  },
  { $id: 'Release' },
);
export type ReleaseDocument = Static<typeof ReleaseDocument>;
