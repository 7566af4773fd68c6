import { deadLink } from '../finding/rule/dead-link.ts';
import { orphanPin } from '../finding/rule/orphan-pin.ts';
import type { Rule } from '../finding/rule.ts';
import { countOf, objectWords, type PinnableInfo, spanWords } from '../finding/words.ts';
import type { World, WorldObject, WorldPin } from '../finding/world.ts';
import { type Hazard, hazardsOf } from '../hazard.ts';
import { limits } from '../limits.ts';
import { isWithin, type PinPath } from '../path.ts';
import { type GcPassedReason, type GcRule, gcRules } from '../schema/gc.ts';
import { unheldMs } from '../unheld.ts';

/** Everything a plan is made from, as of one moment. */
export interface GcWorld {
  readonly world: World;
  readonly isClaimed: (pin: WorldPin) => boolean;
  /** How long ago it was pinned, or restored, in milliseconds; never more than is certain. */
  readonly ageMs: (pin: WorldPin) => number;
}

/** Which pins somebody wants cleaned up. */
export interface GcQuestion {
  readonly rules: readonly GcRule[];
  readonly mount: string;
  /** Pins below this directory, and itself; undefined for all of the mount. */
  readonly prefix: PinPath | undefined;
  readonly minAgeMs: number;
}

/** A pin that a rule objects to, and its object. */
export interface GcPin {
  readonly object: PinnableInfo;
  readonly pin: WorldPin;
  readonly rule: GcRule;
}

/** A pin that may go. */
export interface GcLine extends GcPin {
  /** What the rule found. */
  readonly why: string;
  readonly ageMs: number;
  /** What the final unlink will cost, and a sentence of it. */
  readonly hazards: readonly Hazard[];
  readonly lost: string;
  /** Other pins of the same object in this plan; they go together. */
  readonly others: readonly WorldPin[];
}

/** A pin that a rule objects to, and that stays all the same. */
export interface GcPassed extends GcPin {
  readonly reason: GcPassedReason;
  readonly why: string;
}

/** What would be done. */
export interface GcPlan {
  /** At most limits.gcPinsMax. */
  readonly lines: readonly GcLine[];
  /** How many pins more may go, in another clean-up. */
  readonly more: number;
  readonly passed: readonly GcPassed[];
}

const ruleById: Readonly<Record<GcRule, Rule>> = { orphan_pin: orphanPin, dead_link: deadLink };

/**
 * Decides which pins may go: those a rule objects to, below the prefix, whose object nothing but pins of this
 * same plan holds, nor has held for the minimum age. All pins of an object go, or none of them. Pure; takes
 * time in proportion to the world.
 */
export function planGc(gc: GcWorld, question: GcQuestion): GcPlan {
  const lines: GcLine[] = [];
  const passed: GcPassed[] = [];
  const seen = new Set<string>();
  // The rules' own threshold is for attention; how old is old enough is asked for here.
  const thresholds = { ...gc.world.thresholds, minAgeMs: Number.NEGATIVE_INFINITY };
  const world = { ...gc.world, thresholds };
  for (const id of gcRules.filter((rule) => question.rules.includes(rule))) {
    for (const { subject, summary } of ruleById[id].judge(world)) {
      const key = `${subject.kind}:${subject.id}`;
      const object = objectOf(world, subject.kind, subject.id ?? 0);
      if (object === undefined || seen.has(key)) continue;
      seen.add(key);
      const pins = object.pins.filter((pin) => isAskedFor(pin, question));
      const obstacle = obstacleOf(object, gc, question);
      for (const pin of pins) {
        const about = { object: object.info, pin, rule: id };
        if (obstacle !== undefined) passed.push({ ...about, ...obstacle });
        else lines.push({ ...about, ...lineOf(object, pin, gc), why: summary });
      }
    }
  }
  const { gcPinsMax } = limits;
  return { lines: lines.slice(0, gcPinsMax), more: Math.max(0, lines.length - gcPinsMax), passed };
}

/** What plans need to know; where one is missing, no plan can be made. */
export function missingFor(world: World): string | undefined {
  return world.missing.objects ?? world.missing.counters;
}

function objectOf({ maps, programs, links }: World, kind: string | undefined, id: number) {
  if (kind === 'map') return maps.get(id);
  return kind === 'program' ? programs.get(id) : links.get(id);
}

function isAskedFor({ mount, path }: WorldPin, question: GcQuestion): boolean {
  return mount === question.mount && (question.prefix === undefined || isWithin(path, question.prefix));
}

/** Why none of an object's pins may go; undefined where they may. */
function obstacleOf(
  { pins, pinnedInodes, counters, unheld }: WorldObject<PinnableInfo>,
  gc: GcWorld,
  question: GcQuestion,
): Pick<GcPassed, 'reason' | 'why'> | undefined {
  if (counters?.refcnt !== BigInt(pinnedInodes)) {
    const others =
      counters === undefined ? 'something' : countOf(Number(counters.refcnt) - pinnedInodes, 'reference');
    return { reason: 'held', why: `${others} besides its pins may be using it` };
  }
  if (pins.some((pin) => gc.isClaimed(pin))) return { reason: 'claimed', why: 'an owner claims it' };
  const other = pins.find((pin) => !isAskedFor(pin, question));
  if (other !== undefined)
    return { reason: 'pinned_elsewhere', why: 'a pin that was not asked for holds it, too' };
  const youngest = Math.min(...pins.map((pin) => gc.ageMs(pin)));
  const because = (what: string, ms: number): Pick<GcPassed, 'reason' | 'why'> => {
    const ago = spanWords(Math.max(0, ms));
    return { reason: 'too_young', why: `${what} ${ago} ago, less than ${spanWords(question.minAgeMs)}` };
  };
  if (youngest < question.minAgeMs) return because('it was pinned or restored', youngest);
  // What is not known to be unheld was held just now.
  const restMs = unheldMs(unheld, gc.world.bootMs) ?? 0;
  return restMs < question.minAgeMs ? because('something held it until', restMs) : undefined;
}

function lineOf(object: WorldObject<PinnableInfo>, pin: WorldPin, { world, ageMs }: GcWorld) {
  const { info, counters, pinnedInodes, pins } = object;
  const attached =
    info.kind === 'link' && info.is_attached !== undefined ? { isAttached: info.is_attached } : {};
  const loss = { kind: info.kind, type: info.type, ours: 0, going: pinnedInodes, ...attached };
  return {
    ageMs: ageMs(pin),
    hazards: hazardsOf({ ...loss, counters: counters ?? { refcnt: 0n } }),
    lost: lostWords(info, world.entries.get(info.id)),
    others: pins.filter((each) => each !== pin),
  };
}

function lostWords(info: PinnableInfo, entries: number | undefined): string {
  const inside =
    info.kind !== 'map'
      ? ''
      : entries === undefined
        ? ' and what is in it'
        : ` and its ${countOf(entries, 'entry')}`;
  const memory = info.kind === 'link' || info.memlock === undefined ? '' : ` (${info.memlock} bytes)`;
  return `${objectWords(info)}${inside.replace(/entrys$/, 'entries')}${memory}`;
}
