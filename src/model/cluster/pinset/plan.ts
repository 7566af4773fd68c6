import { type PinPath, parsePath, textOf } from '../../path.ts';
import type { DesiredPin, Drift, PinSet } from '../../schema/pinset.ts';
import { attributeDifferences, driftOf, objectDifferences } from './differences.ts';
import {
  type AsideObject,
  isSameObject,
  isSamePin,
  type ObservedPath,
  type ObservedPin,
  type PlannedAction,
} from './observed.ts';
import type { MadePin } from './records.ts';

/** Everything that decides what is done for one pin set, as it is at one moment. */
export interface PlanFacts {
  /** What the node has applied: this alone is kept to. */
  readonly spec: PinSet;
  /** False where it was deleted, or is not meant for this node any longer: then it only lets go. */
  readonly isWanted: boolean;
  /** What was applied; undefined for what somebody only asks about. */
  readonly generation?: number;
  readonly made: readonly MadePin[];
  /** What protects names, by path. */
  readonly aside: ReadonlyMap<PinPath, AsideObject>;
  /** Paths whose map is being copied. */
  readonly copies: ReadonlySet<PinPath>;
  readonly observed: ReadonlyMap<PinPath, ObservedPath>;
  /** Which set with an earlier name has a path. */
  readonly takenBy: ReadonlyMap<PinPath, string>;
  /** Paths that any other set speaks of: what this one lets go there is theirs. */
  readonly othersWant: ReadonlySet<PinPath>;
}

/** One step, with what carrying it out needs. */
export interface PlannedStep {
  readonly path: PinPath;
  readonly action: PlannedAction;
  /** What and why, in a sentence. */
  readonly detail: string;
  /** What is wanted at the path; undefined where something only goes. */
  readonly wanted?: DesiredPin;
  /** What is there, and is changed. */
  readonly there?: ObservedPin;
  /** What is aside, and is pinned again or let go. */
  readonly aside?: AsideObject;
}

/** What a node does for a pin set, and what it does not. */
export interface PinSetPlan {
  readonly steps: readonly PlannedStep[];
  readonly drifts: readonly Drift[];
}

/** One thing that is not as it should be, and the step that would make it so, if there is one. */
interface Finding {
  readonly drifts: readonly Drift[];
  readonly steps: readonly PlannedStep[];
}

const nothing: Finding = { drifts: [], steps: [] };

/** Every path a specification speaks of, as byte strings; what cannot be one is none. */
export function pathsOf({ pins = [], absent = [] }: PinSet): readonly PinPath[] {
  return [...pins.map(({ path }) => path), ...absent].map(parsePath);
}

/**
 * What is to do, from what is applied, what was made and what is pinned now; it depends on nothing that was
 * seen before. Paths that it knows nothing of are as they were: they are left alone.
 */
export function planPinSet(facts: PlanFacts): PinSetPlan {
  const { spec, isWanted } = facts;
  const pins = isWanted ? (spec.pins ?? []) : [];
  const absent = isWanted ? (spec.absent ?? []) : [];
  const isObserving = spec.mode === 'observe';
  const findings = [
    ...pins.map((pin) => ofPin(facts, pin)),
    ...absent.map((path) => ofAbsent(facts, parsePath(path))),
  ];
  const drifts = findings.flatMap(({ drifts: found, steps }) =>
    isObserving || steps.length === 0 ? found : [],
  );
  const steps = findings
    .flatMap((finding) => finding.steps)
    .filter(({ path }) => !isObserving || facts.copies.has(path));
  const wantedPaths = new Set(pathsOf({ pins, absent }));
  return { steps: [...steps, ...leaving(facts, wantedPaths)], drifts };
}

function ofPin(facts: PlanFacts, wanted: DesiredPin): Finding {
  const path = parsePath(wanted.path);
  const other = facts.takenBy.get(path);
  if (other !== undefined)
    return { drifts: [driftOf(wanted.path, 'other_pinset', undefined, other)], steps: [] };
  // Begun for whatever was wanted then: only what is there when it is over is planned for.
  if (facts.copies.has(path)) {
    const detail = 'end the copy that was begun, or undo it where the new map has not taken its place';
    return { drifts: [], steps: [{ path, action: 'copy_map', wanted, detail }] };
  }
  const seen = facts.observed.get(path);
  if (seen === undefined) return nothing;
  if (seen.is === 'blocked') {
    return { drifts: [driftOf(wanted.path, seen.code, describeWanted(wanted), seen.detail)], steps: [] };
  }
  const aside = facts.aside.get(path);
  if (seen.is === 'absent') return ofMissing(path, wanted, aside);
  const different = objectDifferences(wanted, seen.pin);
  if (different.length > 0 && isMadeNow(facts, path, seen.pin)) return { drifts: different, steps: [] };
  if (different.length > 0) return ofAnother(facts.spec, { path, wanted, there: seen.pin, different });
  return ofRight({ path, wanted, there: seen.pin, aside });
}

/** A map that was made for this very generation: made once more it would differ just so, without contents. */
function isMadeNow({ made, generation }: PlanFacts, path: PinPath, pin: ObservedPin): boolean {
  const identity = made.find((one) => pathOfBytes(one.path) === path)?.identity;
  if (identity?.generation === undefined || identity.generation !== generation) return false;
  return isSamePin(identity, pin.identity);
}

function ofMissing(path: PinPath, wanted: DesiredPin, aside: AsideObject | undefined): Finding {
  const drifts = [driftOf(wanted.path, 'missing', describeWanted(wanted))];
  if (aside !== undefined) {
    const detail = `pin ${aside.kind} ${aside.id} again, which is held aside: somebody has unpinned it`;
    return { drifts, steps: [{ path, action: 'pin_again', wanted, aside, detail }] };
  }
  if (wanted.map === undefined) return { drifts, steps: [] };
  const detail = `make ${describeWanted(wanted)} and pin it: nothing is there`;
  return { drifts, steps: [{ path, action: 'make_map', wanted, detail }] };
}

/** Something else is there than what is wanted: only a map is ever put in the place of a map. */
function ofAnother(
  { on_schema_change: policy = 'refuse' }: PinSet,
  found: {
    readonly path: PinPath;
    readonly wanted: DesiredPin;
    readonly there: ObservedPin;
    readonly different: readonly Drift[];
  },
): Finding {
  const { path, wanted, there, different } = found;
  const { map } = wanted;
  if (map === undefined || there.map === undefined || policy === 'refuse')
    return { drifts: different, steps: [] };
  const what = different.map(({ code, expected, actual }) => `${code} ${actual} → ${expected}`).join(', ');
  if (policy === 'replace') {
    const detail = `make ${describeWanted(wanted)} in place of map ${there.identity.id}: ${what}`;
    return { drifts: different, steps: [{ path, action: 'replace_map', wanted, there, detail }] };
  }
  const why = whyNotCopyable(wanted, there);
  if (why !== undefined) {
    return { drifts: [...different, driftOf(wanted.path, 'not_copyable', undefined, why)], steps: [] };
  }
  const detail = `copy map ${there.identity.id} into ${describeWanted(wanted)}: ${what}`;
  return { drifts: different, steps: [{ path, action: 'copy_map', wanted, there, detail }] };
}

/** Types whose entries are bytes that mean the same in another map. */
const copyable: readonly string[] = [
  ...['hash', 'lru_hash', 'percpu_hash', 'lru_percpu_hash', 'lpm_trie', 'array', 'percpu_array'],
];

/** Why entries cannot be put into the new map as they are; undefined where they can. */
function whyNotCopyable({ map }: DesiredPin, { map: old }: ObservedPin): string | undefined {
  if (map === undefined || old === undefined) return 'it is no map';
  if (map.type !== old.type) return `a ${old.type} is not copied into a ${map.type}`;
  if (!copyable.includes(map.type)) return `the entries of a ${map.type} cannot be copied`;
  if (map.key_size !== old.key_size || map.value_size !== old.value_size)
    return 'its entries have another size';
  if (map.type.endsWith('array') && map.max_entries < old.max_entries) return 'its last slots would be lost';
  return map.freeze === true ? 'a map that is frozen takes no later changes of the old one' : undefined;
}

/** What is there is what is wanted; attributes and protection may not be. */
function ofRight(found: {
  readonly path: PinPath;
  readonly wanted: DesiredPin;
  readonly there: ObservedPin;
  readonly aside: AsideObject | undefined;
}): Finding {
  const { path, wanted, there, aside } = found;
  const steps: PlannedStep[] = [];
  const drifts = [...attributeDifferences(wanted, there)];
  if (drifts.length > 0) {
    const what = drifts.map(({ code, expected, actual }) => `${code} ${actual} → ${expected}`).join(', ');
    steps.push({ path, action: 'set_attributes', wanted, there, detail: `set ${what}` });
  }
  if (wanted.protect === true) {
    const isOther = aside !== undefined && !isSameObject(aside, there.identity);
    // What protects a map has contents that another map has not; another program is as good as the former.
    if (isOther && wanted.map !== undefined) {
      const expected = `${aside.kind} ${aside.id}, which is held aside`;
      return {
        drifts: [...drifts, driftOf(wanted.path, 'other_map', expected, `map ${there.identity.id}`)],
        steps: [],
      };
    }
    if (isOther) steps.push(letGo(path, aside));
    if (aside === undefined || isOther) {
      const detail = `hold ${there.kind} ${there.identity.id} aside, so that unpinning it does not free it`;
      steps.push({ path, action: 'hold_aside', wanted, there, detail });
    }
  }
  return { drifts, steps };
}

function ofAbsent({ observed, takenBy }: PlanFacts, path: PinPath): Finding {
  const seen = observed.get(path);
  if (seen?.is !== 'pin') return nothing;
  const text = textOf(path);
  const other = takenBy.get(path);
  if (other !== undefined) return { drifts: [driftOf(text, 'other_pinset', undefined, other)], steps: [] };
  const drifts = [driftOf(text, 'unexpected', 'absent', `${seen.pin.kind} ${seen.pin.identity.id}`)];
  return {
    drifts,
    steps: [{ path, action: 'unpin', there: seen.pin, detail: 'unpin it: it must be absent' }],
  };
}

/** What the set had and wants no longer: its second pins go, and with `prune` what it made. */
function leaving(facts: PlanFacts, wanted: ReadonlySet<PinPath>): readonly PlannedStep[] {
  const { spec, made, aside, observed, isWanted, othersWant } = facts;
  const protectedPaths = new Set(
    isWanted ? (spec.pins ?? []).filter(({ protect }) => protect).map(({ path }) => parsePath(path)) : [],
  );
  // Second pins first: then whoever unpins a name hears what it costs.
  const steps = [...aside]
    .filter(([path]) => !protectedPaths.has(path) && !facts.copies.has(path))
    .map(([path, object]) => letGo(path, object));
  for (const { path: bytes, identity } of made) {
    const path = pathOfBytes(bytes);
    const isObserving = spec.mode === 'observe';
    if (wanted.has(path) || (isObserving && isWanted)) continue;
    // What only looks unpins nothing when it goes, either.
    if (isObserving) {
      steps.push({ path, action: 'forget_made', detail: 'the set only observes, and is wanted no longer' });
      continue;
    }
    const seen = observed.get(path);
    if (seen === undefined || identity === undefined) continue;
    const isStill = seen.is === 'pin' && isSamePin(seen.pin.identity, identity) && !othersWant.has(path);
    if (!isStill)
      steps.push({
        path,
        action: 'forget_made',
        detail: 'it is no longer the pin that was made, or another set has it',
      });
    else if (spec.prune === true) {
      const detail = `unpin ${seen.pin.kind} ${identity.id}: this set made it, and wants it no longer`;
      steps.push({ path, action: 'unpin', there: seen.pin, detail });
    }
  }
  for (const path of facts.copies) {
    if (!wanted.has(path)) steps.push({ path, action: 'copy_map', detail: 'end the copy of the map' });
  }
  return steps;
}

function letGo(path: PinPath, aside: AsideObject): PlannedStep {
  const detail = `let go of ${aside.kind} ${aside.id}, which was held aside`;
  return { path, action: 'let_go', aside, detail };
}

/** What is stored was a PinPath when it was. */
function pathOfBytes(bytes: string): PinPath {
  return parsePath(textOf(bytes));
}

/** What is wanted, for people. */
function describeWanted({ map, expect = {} }: DesiredPin): string {
  if (map !== undefined) return `a ${map.type} map of ${map.max_entries} entries`;
  const told = Object.entries(expect).map(([member, value]) => `${member} ${value}`);
  return told.length === 0 ? 'something' : told.join(', ');
}
