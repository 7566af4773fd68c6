import { PinfoldError } from '../../model/error.ts';
import type { Judgement, Rule } from '../../model/finding/rule.ts';
import { rules } from '../../model/finding/rules.ts';
import type { World } from '../../model/finding/world.ts';
import { limits } from '../../model/limits.ts';
import type { EventDocument, NewEvent } from '../../model/schema/event.ts';
import type {
  FindingDocument,
  FindingRuleDocument,
  FindingSubject,
  RuleId,
} from '../../model/schema/finding.ts';
import type { Store } from '../../model/store.ts';
import type { Announce } from '../inventory/recorder.ts';
import type { PassKind } from '../observer/observer.ts';
import { Pace } from '../observer/pace.ts';
import { FindingBook } from './finding-book.ts';
import { WorldWatch, type WorldWatchParts } from './world-watch.ts';

/** Events in one transaction: some 10 ms, so that nothing else waits longer for the database. */
const chunkSize = 200;

/** Trying the rules may take one part in so many of the time, as long as it is done every minute. */
const share = 500;

/** What findings are made from. */
export interface FindingParts extends WorldWatchParts {
  readonly store: Store;
  readonly announce: Announce;
  /** A pass that begins after the call and reads everything. */
  readonly observe: () => Promise<void>;
  readonly onFailure: (error: unknown) => void;
}

/** How the last try of a rule went. */
interface State {
  readonly unavailable: string | undefined;
  readonly dropped: number;
  readonly at: string | undefined;
}

/**
 * Tries all rules after passes of the observer, at a bounded pace, and keeps what they found.
 *
 * Rules see one moment: what they are tried on is put together in one go.
 */
export class AgentFindings {
  readonly #parts: FindingParts;
  readonly #book: FindingBook;
  readonly #watch: WorldWatch;
  readonly #states = new Map<RuleId, State>();
  #dueAtMs: number | undefined;
  /** A try that nobody waits for. */
  #trying: Promise<void> | undefined;
  #isAsked = false;
  #isRecalled = false;
  #unexplained: readonly { readonly kind: string; readonly count: number }[] = [];

  constructor(parts: FindingParts) {
    this.#parts = parts;
    this.#book = new FindingBook(parts.store, parts.kernel.facts.bootId);
    this.#watch = new WorldWatch(parts);
  }

  /** What came or went: what is read only then is due. A finding that begins or ends moves nothing. */
  note(events: readonly EventDocument[]): void {
    if (events.some(({ type }) => !type.startsWith('finding.'))) this.#watch.noteMoved();
  }

  /** Has the next fresh observation try all rules on what is there then. */
  ask(): void {
    this.#isAsked = true;
  }

  /**
   * Called when a pass is over: tries the rules if that is due, or somebody asked. Only who asked waits for
   * it: names are observed meanwhile, also where reading holders takes half a minute.
   */
  async afterPass(kind: PassKind): Promise<void> {
    this.#parts.unheld.look();
    if (kind === 'fresh') {
      await this.#trying;
      await this.#tryIfDue(kind);
      return;
    }
    this.#trying ??= this.#tryIfDue(kind)
      .catch(this.#parts.onFailure)
      .finally(() => {
        this.#trying = undefined;
      });
  }

  /** Lets a try that is under way end. */
  async stop(): Promise<void> {
    await this.#trying;
  }

  async #tryIfDue(kind: PassKind): Promise<void> {
    const { clock } = this.#parts;
    const began = clock.monotonicMs();
    // The first pass is not made longer: whoever starts an agent waits for it.
    this.#dueAtMs ??= began + limits.observeIntervalMs;
    const isAsked = this.#isAsked && kind === 'fresh';
    if (!isAsked && began < this.#dueAtMs) return;
    if (isAsked) this.#isAsked = false;
    const pace = new Pace(clock);
    try {
      await this.#tryAll(pace, isAsked);
    } finally {
      const took = clock.monotonicMs() - began;
      this.#dueAtMs = clock.monotonicMs() + intervalFor(took);
    }
  }

  /** Everything that is open, by rule, in the rules' own order. */
  list(): readonly FindingDocument[] {
    return rules.flatMap(({ id }) => this.#book.of(id));
  }

  /** The rules, with what became of each. */
  rules(): readonly FindingRuleDocument[] {
    return rules.map((rule) => {
      const { unavailable, dropped = 0, at } = this.#states.get(rule.id) ?? {};
      return {
        rule: rule.id,
        title: rule.title,
        severities: [...rule.severities],
        meaning: rule.meaning,
        advice: rule.advice,
        enabled: !this.#parts.thresholds.off.has(rule.id),
        ...(unavailable === undefined ? {} : { unavailable }),
        findings: this.#book.of(rule.id).length,
        dropped,
        ...(at === undefined ? {} : { observed_at: at }),
      };
    });
  }

  /**
   * An empty list of what could not be looked for would be untrue.
   *
   * @throws PinfoldError not_ready before the first time, not_supported
   */
  assertTried(rule: RuleId): void {
    const state = this.#states.get(rule);
    if (state === undefined) {
      throw new PinfoldError('not_ready', { detail: 'The rules have not been tried yet.', retry_after: 1 });
    }
    if (state.unavailable === undefined) return;
    throw new PinfoldError('not_supported', {
      detail: `The rule ${rule} cannot be tried here: ${state.unavailable}.`,
    });
  }

  /** The objects a rule objects to, as `kind:id`. @throws PinfoldError not_ready, not_supported */
  objectsOf(rule: RuleId): ReadonlySet<string> {
    this.assertTried(rule);
    return new Set(
      this.#book.of(rule).flatMap(({ subject: { kind, id } }) => (id === undefined ? [] : `${kind}:${id}`)),
    );
  }

  /** How many are open of each rule that could be tried, and each severity it has. */
  counts(): readonly { readonly rule: string; readonly severity: string; readonly count: number }[] {
    return rules.flatMap(({ id, severities }) => {
      if (this.#states.get(id)?.at === undefined) return [];
      const open = this.#book.of(id);
      return severities.map((severity) => ({
        rule: id,
        severity,
        count: open.filter((finding) => finding.severity === severity).length,
      }));
    });
  }

  /** References nobody shows, when holders were read last. */
  unexplained(): readonly { readonly kind: string; readonly count: number }[] {
    return this.#unexplained;
  }

  /** When rules were tried last; undefined before the first time. */
  observedAt(): Date | undefined {
    const times = [...this.#states.values()].flatMap(({ at }) => at ?? []);
    return times.length === 0
      ? undefined
      : new Date(times.reduce((one, other) => (one > other ? one : other)));
  }

  async #tryAll(pace: Pace, isAsked: boolean): Promise<void> {
    const at = this.#parts.clock.now().toISOString();
    const events = this.#isRecalled ? [] : [...this.#book.recall(at)];
    this.#isRecalled = true;
    const { world, isHoldersNew, mustObserve } = await this.#watch.look(pace, isAsked);
    if (isHoldersNew) this.#unexplained = world.missing.holders === undefined ? sumUnexplained(world) : [];
    for (const rule of rules) {
      const isOfHolders = rule.needs.includes('holders');
      // What was found when holders were read last stands until they are read again, or the object is gone.
      const isKept = isOfHolders && !isHoldersNew && world.missing.holders === undefined;
      const isThere = ({ subject }: FindingDocument) => isIn(world, subject);
      events.push(...(isKept ? this.#book.keep(rule.id, at, isThere) : this.#tryOne(rule, world, at)));
      await pace.restIfOver();
    }
    await this.#write(events, pace);
    if (!mustObserve) return;
    this.#isAsked = true;
    this.#parts.observe().catch(this.#parts.onFailure);
  }

  #tryOne(rule: Rule, world: World, at: string): readonly NewEvent[] {
    const isOn = !world.thresholds.off.has(rule.id);
    const need = rule.needs.find((each) => world.missing[each] !== undefined);
    const unavailable = need === undefined ? undefined : world.missing[need];
    const found = isOn && need === undefined ? upTo(world.thresholds.perRuleMax, rule.judge(world)) : nothing;
    const wasTried = isOn && need === undefined;
    this.#states.set(rule.id, { unavailable, dropped: found.dropped, at: wasTried ? at : undefined });
    // What cannot be tried now is not resolved by that.
    if (isOn && !wasTried)
      return this.#book.keep(rule.id, at, ({ subject }) => need !== 'holders' || isIn(world, subject));
    return this.#book.settle({ rule, judgements: found.judgements, at });
  }

  async #write(events: readonly NewEvent[], pace: Pace): Promise<void> {
    const { store, announce, clock } = this.#parts;
    for (let from = 0; from < events.length; from += chunkSize) {
      // Others have written while rules were tried: in the order of their numbers, times do not go back.
      const time = clock.now().toISOString();
      const chunk = events.slice(from, from + chunkSize).map((event) => ({ ...event, time }));
      const isLast = from + chunkSize >= events.length;
      const written = store.transaction(() => {
        if (isLast) this.#book.remember();
        return store.events.append(chunk);
      });
      announce(written);
      await pace.rest();
    }
  }
}

function isIn({ maps, programs, links }: World, { kind, id = 0 }: FindingSubject): boolean {
  if (kind === 'map') return maps.has(id);
  return kind === 'program' ? programs.has(id) : links.has(id);
}

function sumUnexplained({ maps, links, holders }: World) {
  const sum = (kind: 'map' | 'link', ids: Iterable<number>) => ({
    kind,
    count: [...ids].reduce((total, id) => total + holders.unexplained(kind, id), 0),
  });
  return [sum('map', maps.keys()), sum('link', links.keys())];
}

function intervalFor(tookMs: number): number {
  return Math.min(limits.findingsIntervalMaxMs, Math.max(limits.findingsIntervalMs, tookMs * share));
}

interface Found {
  readonly judgements: readonly Judgement[];
  readonly dropped: number;
}

const nothing: Found = { judgements: [], dropped: 0 };

function upTo(max: number, all: Iterable<Judgement>): Found {
  const judgements: Judgement[] = [];
  let dropped = 0;
  for (const judgement of all) {
    if (judgements.length < max) judgements.push(judgement);
    else dropped++;
  }
  return { judgements, dropped };
}
