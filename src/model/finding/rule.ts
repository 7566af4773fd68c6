import type { FindingSubject, RuleId, Severity } from '../schema/finding.ts';
import type { Need, World } from './world.ts';

/** What a rule concludes about one subject. */
export interface Judgement {
  readonly severity: Severity;
  readonly subject: FindingSubject;
  /** One sentence for this occurrence. */
  readonly summary: string;
  readonly evidence: Readonly<Record<string, unknown>>;
}

/** One rule: what it looks for, and a pure function that finds it. */
export interface Rule {
  readonly id: RuleId;
  readonly title: string;
  readonly severities: readonly Severity[];
  /** What must be known of the world; where it is not, the rule is not tried. */
  readonly needs: readonly Need[];
  readonly meaning: string;
  readonly advice: string;
  /** Everything the rule objects to, in a stable order. Takes time in proportion to the world. */
  judge(world: World): Iterable<Judgement>;
}

/** The subject of a judgement as a key: the same subject is the same finding. */
export function findingKey(rule: RuleId, { kind, id, mount, path, path_bytes, ...group }: FindingSubject) {
  return JSON.stringify([rule, kind, id, mount, path_bytes ?? path, group.owner, group.prefix]);
}
