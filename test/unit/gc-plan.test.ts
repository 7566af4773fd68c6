import assert from 'node:assert/strict';
import test from 'node:test';
import { gcDocument } from '../../src/agent/gc/document.ts';
import { usualThresholds } from '../../src/model/finding/thresholds.ts';
import type { World, WorldObject, WorldPin } from '../../src/model/finding/world.ts';
import { type GcQuestion, type GcWorld, planGc } from '../../src/model/gc/plan.ts';
import { Timeline } from '../../src/model/gc/timeline.ts';
import { limits } from '../../src/model/limits.ts';
import { parsePath } from '../../src/model/path.ts';
import { gcRules } from '../../src/model/schema/gc.ts';
import type { LinkInfo } from '../../src/model/schema/link-info.ts';
import type { MapInfo } from '../../src/model/schema/map-info.ts';
import type { ProgramInfo } from '../../src/model/schema/program-info.ts';
import { type Random, random, testSeed } from '../support/seed.ts';

const seed = testSeed();
const nowMs = Date.parse('2026-11-23T12:00:00Z');
const hour = 3_600_000;
const bootMs = 1000 * hour;

/** One pin as it really is. */
interface TruePin {
  readonly mount: string;
  readonly path: string;
  readonly inode: number;
  readonly ageMs: number;
  readonly claimed: boolean;
}

/** One object as it really is: the plan is shown counters and pins, and must find the rest out by itself. */
interface TrueObject {
  readonly kind: 'map' | 'program' | 'link';
  readonly id: number;
  readonly pins: readonly TruePin[];
  /** Descriptors, programs, slots, attachments: whatever else keeps it. */
  readonly otherHolders: number;
  /** How long there have been none; undefined where nobody knows. */
  readonly unheldMs: number | undefined;
  readonly isDead: boolean;
  readonly hasCounters: boolean;
}

const mounts = ['0:40', '0:41'] as const;
const directories = ['a', 'ab', 'a/b', 'leak/x', 'leak'] as const;

/** Mostly nothing has held it for long. */
const long = Array.from({ length: 12 }, () => () => 48 * hour);

function makeTruth(source: Random): readonly TrueObject[] {
  let inodes = 0;
  return Array.from({ length: source.int(12) }, (_, index): TrueObject => {
    const kind = source.pick(['map', 'map', 'program', 'link'] as const);
    const shared = ++inodes;
    const pins = Array.from(
      { length: source.pick([0, 1, 1, 1, 2, 3]) },
      (__, nth): TruePin => ({
        mount: source.pick(mounts),
        path: `${source.pick(directories)}/p${index}n${nth}`,
        inode: source.int(3) === 0 ? shared : ++inodes,
        ageMs: source.pick([0, 1, hour - 1, hour, 2 * hour, 48 * hour]),
        claimed: source.int(8) === 0,
      }),
    );
    return {
      kind,
      id: index + 1,
      pins,
      otherHolders: source.pick([0, 0, 1, 3]),
      unheldMs: source.pick([() => undefined, () => hour, () => hour - 1, ...long])(),
      isDead: source.int(2) === 0,
      hasCounters: source.int(20) > 0,
    };
  });
}

function worldOf(truth: readonly TrueObject[]): GcWorld {
  const maps = new Map<number, WorldObject<MapInfo>>();
  const programs = new Map<number, WorldObject<ProgramInfo>>();
  const links = new Map<number, WorldObject<LinkInfo>>();
  const byPin = new Map<WorldPin, TruePin>();
  for (const object of truth) {
    const pins = object.pins.map((pin): WorldPin => {
      const shown = {
        mount: pin.mount,
        path: parsePath(pin.path),
        owner: null,
        isClaimed: false,
        pinnedAtMs: nowMs - pin.ageMs,
      };
      byPin.set(shown, pin);
      return shown;
    });
    const pinnedInodes = new Set(object.pins.map(({ inode }) => inode)).size;
    const refcnt = BigInt(pinnedInodes + object.otherHolders);
    const counters = object.hasCounters ? { refcnt } : undefined;
    const since = { since: '', sinceBootMs: bootMs - (object.unheldMs ?? 0) };
    const unheld = object.unheldMs === undefined ? undefined : since;
    const shown = { firstSeenMs: nowMs - 100 * hour, counters, pins, pinnedInodes, unheld };
    const { kind, id } = object;
    if (kind === 'map') maps.set(id, { ...shown, info: { kind, id, type: 'hash', name: 'm' } as MapInfo });
    if (kind === 'program') programs.set(id, { ...shown, info: { kind, id, type: 'xdp' } as ProgramInfo });
    if (kind !== 'link') continue;
    links.set(id, { ...shown, info: { kind, id, type: 'xdp', is_attached: !object.isDead } as LinkInfo });
  }
  const world: World = {
    nowMs,
    bootMs,
    thresholds: usualThresholds,
    maps,
    programs,
    links,
    mounts: [],
    cgroups: 0,
    entries: new Map(),
    writableConstants: new Map(),
    holders: { unexplained: () => 0, onlyProcesses: () => undefined, attached: new Set(), islands: [] },
    missing: {},
  };
  return {
    world,
    isClaimed: (pin) => byPin.get(pin)?.claimed === true,
    ageMs: (pin) => byPin.get(pin)?.ageMs ?? 0,
  };
}

function makeQuestion(source: Random): GcQuestion {
  const prefix = source.pick(['', '', 'a', 'leak', 'leak/x', 'nowhere']);
  return {
    rules: source.pick([gcRules, ['orphan_pin'], ['dead_link']] as const),
    mount: source.pick(mounts),
    prefix: prefix === '' ? undefined : parsePath(prefix),
    minAgeMs: source.pick([0, hour, 24 * hour]),
  };
}

/** Written by itself, without the words of the plan: what may go, and what must not. */
function mayGo(object: TrueObject, question: GcQuestion): boolean {
  const isAskedFor = ({ mount, path }: TruePin): boolean =>
    mount === question.mount &&
    (question.prefix === undefined || `${path}/`.startsWith(`${question.prefix}/`));
  if (object.pins.length === 0 || object.otherHolders > 0 || !object.hasCounters) return false;
  const rule = object.kind === 'link' ? 'dead_link' : 'orphan_pin';
  if (!question.rules.includes(rule) || (object.kind === 'link' && !object.isDead)) return false;
  if ((object.unheldMs ?? 0) < question.minAgeMs) return false;
  return object.pins.every((pin) => isAskedFor(pin) && !pin.claimed && pin.ageMs >= question.minAgeMs);
}

test('in 10,000 random worlds, what is held, claimed or too young never goes, and all else does', () => {
  let went = 0;
  for (let round = 0; round < 10_000; round++) {
    const source = random(seed + round);
    const truth = makeTruth(source);
    const question = makeQuestion(source);
    const { lines, passed } = planGc(worldOf(truth), question);
    const planned = lines.map(({ object, pin }) => `${object.kind}:${object.id} ${pin.mount} ${pin.path}`);
    const wanted = truth
      .filter((object) => mayGo(object, question))
      .flatMap(({ kind, id, pins }) => pins.map(({ mount, path }) => `${kind}:${id} ${mount} ${path}`));
    assert.deepEqual([...planned].sort(), [...wanted].sort(), `seed ${seed + round}`);
    went += planned.length;
    for (const { pin } of passed) assert.ok(lines.every((line) => line.pin !== pin));
  }
  assert.ok(went > 1000, `only ${went} pins ever went`);
});

test('a plan tells of each pin what, why, and what would be lost; and of what stays, why it does', () => {
  const pin = { mount: '0:40', path: 'leak/one', inode: 1, ageMs: 2 * hour, claimed: false };
  const rested = { otherHolders: 0, unheldMs: hour, isDead: false, hasCounters: true };
  const one = { kind: 'map', id: 7, pins: [pin], ...rested } as const;
  const truth: readonly TrueObject[] = [
    one,
    { ...one, id: 8, otherHolders: 2, pins: [{ ...pin, path: 'leak/held' }] },
    { ...one, id: 9, pins: [{ ...pin, path: 'leak/claimed', claimed: true }] },
    { ...one, id: 10, pins: [{ ...pin, path: 'leak/young', ageMs: 60_000 }] },
    { ...one, id: 12, unheldMs: 60_000, pins: [{ ...pin, path: 'leak/restless' }] },
    { ...one, id: 13, unheldMs: undefined, pins: [{ ...pin, path: 'leak/unknown' }] },
    {
      ...one,
      id: 11,
      pins: [
        { ...pin, path: 'leak/two' },
        { ...pin, path: 'else/two', inode: 2 },
      ],
    },
  ];
  const question = { rules: gcRules, mount: '0:40', prefix: parsePath('leak'), minAgeMs: hour };
  const { lines, passed } = planGc(worldOf(truth), question);
  assert.deepEqual(
    lines.map(({ pin: { path }, rule, hazards, lost, ageMs }) => ({ path, rule, hazards, lost, ageMs })),
    [
      {
        path: 'leak/one',
        rule: 'orphan_pin',
        hazards: ['last_reference'],
        lost: 'hash map 7 "m" and what is in it',
        ageMs: 2 * hour,
      },
    ],
  );
  assert.match(lines[0]?.why ?? '', /^Only 1 pin of its own keeps hash map 7 "m" alive/);
  // What something holds is no orphan, so no rule objects to it.
  assert.deepEqual(
    passed.map(({ pin: { path }, reason }) => [path, reason]),
    [
      ['leak/claimed', 'claimed'],
      ['leak/young', 'too_young'],
      ['leak/restless', 'too_young'],
      ['leak/unknown', 'too_young'],
      ['leak/two', 'pinned_elsewhere'],
    ],
  );
});

test('a plan has so many pins and an answer so many that stay, and both say how many more there are', () => {
  const question = { rules: gcRules, mount: '0:40', prefix: undefined, minAgeMs: hour };
  const orphans = (count: number, ageMs: number) =>
    Array.from({ length: count }, (_, index): TrueObject => {
      const pin = { mount: '0:40', path: `p${index}`, inode: index + 1, ageMs, claimed: false };
      const rested = { otherHolders: 0, unheldMs: hour, isDead: false, hasCounters: true };
      return { kind: 'map', id: index + 1, pins: [pin], ...rested };
    });
  const about = { operationId: undefined, dryRun: true, graceMs: 0, at: new Date(nowMs) };
  for (const over of [0, 1]) {
    const { lines, more } = planGc(worldOf(orphans(limits.gcPinsMax + over, 2 * hour)), question);
    assert.deepEqual([lines.length, more], [limits.gcPinsMax, over]);
    const young = planGc(worldOf(orphans(limits.gcPassedMax + over, 0)), question);
    const { passed, passed_total } = gcDocument(young, about);
    assert.deepEqual([passed.length, passed_total], [limits.gcPassedMax, limits.gcPassedMax + over]);
  }
});

test('the age of a pin is never overstated, however the wall clock is set while the agent runs', () => {
  for (const jumpMs of [0, -10 * 365 * 24 * hour, 10 * 365 * 24 * hour, hour, -hour]) {
    const timeline = new Timeline();
    timeline.note({ wallMs: nowMs, boottimeMs: 101_000 });
    const before = nowMs - 5000;
    timeline.note({ wallMs: nowMs + 10_000, boottimeMs: 111_000 });
    const after = nowMs + 10_000 + jumpMs + 3000;
    timeline.note({ wallMs: nowMs + 10_000 + jumpMs + 5000, boottimeMs: 116_000 });
    timeline.note({ wallMs: nowMs + 10_000 + jumpMs + 60_000, boottimeMs: 171_000 });
    assert.equal(timeline.ageMs(after), 57_000, `made after a jump of ${jumpMs} ms`);
    // Set back by little, one time of day may have been twice: the younger of the two counts.
    const isTwice = jumpMs === -hour || jumpMs < 0;
    const age = timeline.ageMs(before);
    if (isTwice) assert.ok(age <= 75_000, `${age} ms`);
    else assert.equal(age, 75_000, `made before a jump of ${jumpMs} ms`);
    assert.ok(timeline.ageMs(nowMs - hour) <= 171_000, 'nothing is older than the boot');
    assert.equal(timeline.ageMs(nowMs + 100 * 365 * 24 * hour), 0, 'a pin of the future is new');
  }
});
