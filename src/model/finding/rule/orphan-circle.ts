import type { Judgement, Rule } from '../rule.ts';
import { countOf, objectSubject, objectWords, type PinnableInfo, pathsOf, spanWords } from '../words.ts';
import type { World, WorldIsland, WorldObject } from '../world.ts';

/** Objects that keep each other alive, and that nobody uses. */
export const orphanCircle: Rule = {
  id: 'orphan_circle',
  title: 'Objects that only hold each other',
  severities: ['warning'],
  needs: ['objects', 'counters'],
  meaning:
    'Programs and maps hold each other in a circle, such as a tail-call table and a program in it that ' +
    'uses it. Nothing but their own pins holds any of them and nothing runs, yet each seems used.',
  advice:
    'Ask their owner. Where nobody wants them, remove all of their pins with `pinfold unpin`; where none ' +
    'has a pin to remove, take the program out of the table first (`pinfold entry rm`).',
  *judge(world: World): Iterable<Judgement> {
    for (const island of world.holders.islands) yield* judgeOne(island, world);
  },
};

function* judgeOne({ members, sinceBootMs }: WorldIsland, world: World): Iterable<Judgement> {
  const { nowMs, bootMs, thresholds } = world;
  const objects = members.flatMap(({ kind, id, references }) => {
    const object: WorldObject<PinnableInfo> | undefined = (kind === 'map' ? world.maps : world.programs).get(
      id,
    );
    // Holders were read some time ago: what has changed since is judged when they are read again.
    return object?.counters?.refcnt === BigInt(references) ? [object] : [];
  });
  const pins = objects.flatMap((object) => object.pins);
  const [first] = objects.toSorted((one, other) => other.pins.length - one.pins.length);
  if (first === undefined || objects.length < members.length) return;
  if (pins.some(({ isClaimed }) => isClaimed)) return;
  const pinnedAtMs = pins.map((pin) => pin.pinnedAtMs).filter((ms) => ms <= nowMs);
  const ageMs = Math.min(bootMs - sinceBootMs, nowMs - Math.max(0, ...pinnedAtMs));
  if (ageMs < thresholds.minAgeMs) return;
  const memory = objects.map(({ info }) => ('memlock' in info ? (info.memlock ?? 0) : 0));
  yield {
    severity: 'warning',
    subject: objectSubject(first),
    summary:
      `${objectWords(first.info)} and ${countOf(objects.length - 1, 'other object')} hold each other, and ` +
      `nothing but ${countOf(pins.length, 'pin')} of their own has held them for ${spanWords(ageMs)}.`,
    evidence: {
      objects: members.map(({ kind, id }) => ({ kind, id })),
      pins: pathsOf(pins),
      age_seconds: Math.floor(ageMs / 1000),
      memory_bytes: memory.reduce((sum, bytes) => sum + bytes, 0),
    },
  };
}
