import { type Static, Type } from 'typebox';
import { ruleIds, severities } from '../word-lists.ts';
import { ObjectKindSchema, oneOf, PathBytes, PathText, Time } from './common.ts';

export { type RuleId, ruleIds, type Severity, severities } from '../word-lists.ts';

/** What a finding is about: an object, a pin, a bpffs, or everything of an owner or below a prefix. */
export const FindingSubject = Type.Object({
  kind: Type.Optional(ObjectKindSchema),
  id: Type.Optional(Type.Integer({ description: 'the kernel’s id of the object; ids are reused' })),
  type: Type.Optional(Type.String({ description: 'as bpftool names it' })),
  name: Type.Optional(Type.String({ description: 'the object’s own name' })),
  mount: Type.Optional(Type.String({ description: 'major:minor of the bpffs instance' })),
  path: Type.Optional(PathText),
  path_bytes: Type.Optional(PathBytes),
  owner: Type.Optional(Type.String({ description: 'owner of the pins it is about' })),
  prefix: Type.Optional(Type.String({ description: 'directory of the pins it is about' })),
});
export type FindingSubject = Static<typeof FindingSubject>;

/** Something worth a person's attention. */
export const FindingDocument = Type.Object(
  {
    rule: oneOf(ruleIds),
    severity: oneOf(severities),
    subject: FindingSubject,
    summary: Type.String({ description: 'one sentence: what was found' }),
    meaning: Type.String({ description: 'why it matters' }),
    advice: Type.String({ description: 'what to do about it' }),
    evidence: Type.Record(Type.String(), Type.Unknown(), { description: 'the facts it was concluded from' }),
    first_seen: Time,
    observed_at: Time,
  },
  { $id: 'Finding' },
);
export type FindingDocument = Static<typeof FindingDocument>;

/** A rule, and what became of it when it was tried last. */
export const FindingRuleDocument = Type.Object(
  {
    rule: oneOf(ruleIds),
    title: Type.String(),
    severities: Type.Array(oneOf(severities)),
    meaning: Type.String(),
    advice: Type.String(),
    enabled: Type.Boolean({ description: 'false where the configuration turned it off' }),
    unavailable: Type.Optional(Type.String({ description: 'why it cannot be tried here' })),
    findings: Type.Integer({ description: 'how many there are' }),
    dropped: Type.Integer({ description: 'how many more there would be than are kept' }),
    observed_at: Type.Optional(Time),
  },
  { $id: 'FindingRule' },
);
export type FindingRuleDocument = Static<typeof FindingRuleDocument>;
