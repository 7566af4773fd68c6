import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { findingKey, type Judgement, type Rule } from '../../model/finding/rule.ts';
import type { EventSubject, EventType, NewEvent } from '../../model/schema/event.ts';
import { FindingDocument, type RuleId } from '../../model/schema/finding.ts';
import type { Store } from '../../model/store.ts';

/** Under which name the open findings are stored. */
const settingName = 'findings';

/** What is stored: the kernel they were found in, and the findings. */
const Remembered = Type.Object({ boot_id: Type.String(), findings: Type.Array(FindingDocument) });

/** What a try of one rule came to; a rule that is turned off finds nothing. */
export interface Tried {
  readonly rule: Rule;
  readonly judgements: readonly Judgement[];
  /** RFC 3339: as of when. */
  readonly at: string;
}

/** Findings of one rule, by key, in the order in which it gave them. */
type Findings = ReadonlyMap<string, FindingDocument>;

/**
 * Which findings are open, since when; across restarts of the agent, but not of the kernel: ids and pins of
 * another boot are others.
 */
export class FindingBook {
  readonly #store: Store;
  readonly #bootId: string;
  readonly #byRule = new Map<RuleId, Findings>();

  constructor(store: Store, bootId: string) {
    this.#store = store;
    this.#bootId = bootId;
  }

  /** The open findings of a rule. */
  of(rule: RuleId): readonly FindingDocument[] {
    return [...(this.#byRule.get(rule)?.values() ?? [])];
  }

  /** Reads what was open when the agent stopped; answers the end of what was open under another kernel. */
  recall(at: string): readonly NewEvent[] {
    const stored: unknown = JSON.parse(this.#store.settings.get(settingName) ?? 'null');
    if (!Value.Check(Remembered, stored)) return [];
    if (stored.boot_id !== this.#bootId)
      return stored.findings.map((finding) => eventOf('finding.resolved', finding, at));
    for (const finding of stored.findings) {
      const others = this.#byRule.get(finding.rule) ?? [];
      this.#byRule.set(
        finding.rule,
        new Map([...others, [findingKey(finding.rule, finding.subject), finding]]),
      );
    }
    return [];
  }

  /** Takes what a rule has found: what is not among it any more is resolved. Answers what came and went. */
  settle({ rule, judgements, at }: Tried): readonly NewEvent[] {
    const before = new Map(this.#byRule.get(rule.id));
    const now = new Map<string, FindingDocument>();
    const events: NewEvent[] = [];
    for (const judgement of judgements) {
      const key = findingKey(rule.id, judgement.subject);
      const finding = documentOf(rule, judgement, { firstSeen: before.get(key)?.first_seen ?? at, at });
      if (!before.delete(key))
        events.push(eventOf('finding.opened', finding, at), ...ownEventOf(finding, at));
      now.set(key, finding);
    }
    for (const finding of before.values()) events.push(eventOf('finding.resolved', finding, at));
    this.#byRule.set(rule.id, now);
    return events;
  }

  /** Keeps what a rule found before, but for what is gone. Answers what went. */
  keep(rule: RuleId, at: string, isThere: (finding: FindingDocument) => boolean): readonly NewEvent[] {
    const before = [...(this.#byRule.get(rule) ?? [])];
    const gone = before.filter(([, finding]) => !isThere(finding));
    if (gone.length === 0) return [];
    this.#byRule.set(rule, new Map(before.filter(([, finding]) => isThere(finding))));
    return gone.map(([, finding]) => eventOf('finding.resolved', finding, at));
  }

  /** Stores what is open, for the next start. */
  remember(): void {
    const findings = [...this.#byRule.values()].flatMap((each) => [...each.values()]);
    this.#store.settings.set(settingName, JSON.stringify({ boot_id: this.#bootId, findings }));
  }
}

function documentOf(
  { id, meaning, advice }: Rule,
  { severity, subject, summary, evidence }: Judgement,
  times: { readonly firstSeen: string; readonly at: string },
): FindingDocument {
  return {
    rule: id,
    severity,
    subject,
    summary,
    meaning,
    advice,
    evidence: { ...evidence },
    first_seen: times.firstSeen,
    observed_at: times.at,
  };
}

/** Two things that a rule notices are events by themselves: whoever waits for them need not know of rules. */
const ownTypes: Partial<Record<RuleId, EventType>> = {
  dead_link: 'link.dead',
  map_near_full: 'map.near_full',
};

function ownEventOf(finding: FindingDocument, at: string): readonly NewEvent[] {
  const type = ownTypes[finding.rule];
  if (type === undefined) return [];
  const { summary, evidence } = finding;
  return [{ ...eventOf('finding.opened', finding, at), type, after: { summary, ...evidence } }];
}

function eventOf(
  type: 'finding.opened' | 'finding.resolved',
  finding: FindingDocument,
  at: string,
): NewEvent {
  const { owner: _, prefix: __, ...subject } = finding.subject;
  const [before, after] = type === 'finding.opened' ? [null, finding] : [finding, null];
  return { time: at, type, subject: subject satisfies EventSubject, before, after, actor: 'kernel' };
}
