import { unheldMs } from '../../unheld.ts';
import type { Judgement, Rule } from '../rule.ts';
import { countOf, objectSubject, objectWords, type PinnableInfo, pathsOf, spanWords } from '../words.ts';
import type { World, WorldObject } from '../world.ts';

/** Maps and programs that live on only because a file holds them. */
export const orphanPin: Rule = {
  id: 'orphan_pin',
  title: 'Orphan pin',
  severities: ['warning'],
  needs: ['objects', 'counters'],
  meaning:
    'Nothing but its own pins holds the object: no process has it open, no program uses it, nothing runs ' +
    'it. Whoever pinned it has most likely gone and forgot it; its memory stays taken until the pin goes.',
  advice:
    'Ask its owner. Where nobody wants it, look at what it holds (`pinfold dump`) and remove it with ' +
    '`pinfold unpin --accept last_reference`; claim it where it is meant to wait for its next user.',
  *judge(world: World): Iterable<Judgement> {
    for (const map of world.maps.values()) yield* judgeOne(map, world);
    for (const program of world.programs.values()) yield* judgeOne(program, world);
  },
};

function* judgeOne(object: WorldObject<PinnableInfo>, world: World): Iterable<Judgement> {
  const { nowMs, bootMs, thresholds } = world;
  const { info, pins, pinnedInodes, counters, unheld } = object;
  if (pinnedInodes === 0 || counters?.refcnt !== BigInt(pinnedInodes)) return;
  if (pins.some(({ isClaimed }) => isClaimed)) return;
  // Whoever may change a pin's times may set them to come; those say nothing.
  const pinnedAtMs = pins.map((pin) => pin.pinnedAtMs).filter((ms) => ms <= nowMs);
  const ageMs = Math.min(unheldMs(unheld, bootMs) ?? 0, nowMs - Math.max(0, ...pinnedAtMs));
  if (ageMs < thresholds.minAgeMs) return;
  yield {
    severity: 'warning',
    subject: objectSubject(object),
    summary:
      `Only ${countOf(pinnedInodes, 'pin')} of its own ${pinnedInodes === 1 ? 'keeps' : 'keep'} ` +
      `${objectWords(info)} alive; nothing else has held it for ${spanWords(ageMs)}.`,
    evidence: {
      refcnt: Number(counters.refcnt),
      pins: pathsOf(pins),
      age_seconds: Math.floor(ageMs / 1000),
      ...(unheld === undefined ? {} : { unheld_since: unheld.since }),
      ...(info.kind === 'link' || info.memlock === undefined ? {} : { memory_bytes: info.memlock }),
    },
  };
}
