import { type Static, Type } from 'typebox';
import { hazards } from '../hazard.ts';
import { limits } from '../limits.ts';
import { gcRules } from '../word-lists.ts';
import { Labels, oneOf, PathBytes, PathText, PinnableKindSchema, Time } from './common.ts';

export { type GcRule, gcRules } from '../word-lists.ts';

const closed = { additionalProperties: false } as const;

/** Why a pin that a rule objects to stays. */
export const gcPassedReasons = ['held', 'claimed', 'too_young', 'pinned_elsewhere'] as const;
/** One of `gcPassedReasons`. */
export type GcPassedReason = (typeof gcPassedReasons)[number];

const Duration = Type.String({ pattern: '^\\d{1,9}(ms|s|m|h|d)$', examples: ['30s', '12h', '30d'] });
const MountText = Type.String({ description: 'major:minor of the bpffs instance' });

/** Body of `POST /v1/gc`. */
export const GcRequest = Type.Object(
  {
    rules: Type.Optional(
      Type.Array(oneOf(gcRules), { minItems: 1, maxItems: gcRules.length, description: 'all unless told' }),
    ),
    min_age: Type.Optional(Duration),
    prefix: Type.Optional(PathText),
    prefix_bytes: Type.Optional(PathBytes),
    dry_run: Type.Optional(Type.Boolean({ description: 'answer with the plan, and change nothing' })),
    quarantine: Type.Optional(
      Type.Boolean({ description: 'false: unlink at once, without a time in which it can be undone' }),
    ),
    grace: Type.Optional(Duration),
  },
  { ...closed, $id: 'GcRequest' },
);
export type GcRequest = Static<typeof GcRequest>;

const about = {
  mount: MountText,
  path: PathText,
  path_bytes: Type.Optional(PathBytes),
  kind: PinnableKindSchema,
  id: Type.Integer({ description: 'the kernel’s id of the object' }),
  type: Type.String(),
  name: Type.Optional(Type.String()),
};

/** A pin that may go. */
export const GcLineDocument = Type.Object(
  {
    ...about,
    rule: oneOf(gcRules),
    why: Type.String({ description: 'what the rule found' }),
    age_seconds: Type.Integer(),
    hazards: Type.Array(oneOf(hazards), { description: 'what the final unlink will cost' }),
    lost: Type.String({ description: 'the same in words' }),
    memory_bytes: Type.Optional(Type.Integer()),
  },
  { $id: 'GcLine' },
);
export type GcLineDocument = Static<typeof GcLineDocument>;

/** A pin that a rule objects to, and that stays. */
export const GcPassedDocument = Type.Object(
  { ...about, rule: oneOf(gcRules), reason: oneOf(gcPassedReasons), why: Type.String() },
  { $id: 'GcPassed' },
);
export type GcPassedDocument = Static<typeof GcPassedDocument>;

/** What `POST /v1/gc` answers. */
export const GcDocument = Type.Object(
  {
    dry_run: Type.Boolean(),
    operation_id: Type.Union([Type.String(), Type.Null()], {
      description:
        'ask for it with GET /v1/operations/{id}; null for a dry run, and where nothing is to be done',
    }),
    grace_seconds: Type.Number({ description: 'how long what goes can be restored' }),
    pins: Type.Integer({ description: 'how many go' }),
    more: Type.Integer({ description: 'how many more could go, in another clean-up' }),
    memory_bytes: Type.Integer({ description: 'what the kernel accounts to their objects' }),
    plan: Type.Array(GcLineDocument),
    passed: Type.Array(GcPassedDocument, {
      description: `pins that stay although a rule objects to them, ${limits.gcPassedMax} at most`,
    }),
    passed_total: Type.Integer(),
    observed_at: Time,
  },
  { $id: 'Gc' },
);
export type GcDocument = Static<typeof GcDocument>;

/** A pin in quarantine: its name is gone, its object is still held. */
export const QuarantineDocument = Type.Object(
  {
    id: Type.String({ description: 'for restore and removal' }),
    mount: MountText,
    path: PathText,
    path_bytes: Type.Optional(PathBytes),
    kind: PinnableKindSchema,
    object_id: Type.Integer({ description: 'the kernel’s id of the object' }),
    type: Type.String(),
    name: Type.String(),
    labels: Labels,
    owner: Type.Union([Type.String(), Type.Null()]),
    rule: Type.Union([oneOf(gcRules), Type.Null()], {
      description: 'null where its name was taken while a change was undone',
    }),
    why: Type.String(),
    run: Type.Union([Type.String(), Type.Null()], {
      description: 'the operation of the clean-up that took it',
    }),
    quarantined_at: Time,
    expires_at: Type.Union([Time, Type.Null()], { description: 'null: it stays until somebody decides' }),
  },
  { $id: 'Quarantined' },
);
export type QuarantineDocument = Static<typeof QuarantineDocument>;
