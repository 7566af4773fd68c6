import type { Counters } from '../../hazard.ts';
import type { MapInfo } from '../../schema/map-info.ts';
import type { Judgement, Rule } from '../rule.ts';
import { objectSubject, objectWords, pathsOf } from '../words.ts';
import type { World, WorldObject } from '../world.ts';

/** Ring buffers that only one side, or no side, has a hold of. */
export const ringbufOneSided: Rule = {
  id: 'ringbuf_one_sided',
  title: 'Ring buffer without a producer or without a reader',
  severities: ['warning'],
  needs: ['objects', 'counters'],
  meaning:
    'A ring buffer is worth something while a program and a process both have it. Without a reader it ' +
    'fills up and what happens is lost; without a producer its reader waits for ever.',
  advice: 'Start the side that is missing, or stop the one that is left and remove the pins of the map.',
  *judge(world: World): Iterable<Judgement> {
    for (const map of world.maps.values()) {
      const isForKernel = map.info.type === 'user_ringbuf';
      if ((map.info.type !== 'ringbuf' && !isForKernel) || map.counters?.usercnt === undefined) continue;
      if (world.nowMs - map.firstSeenMs < world.thresholds.settleMs) continue;
      const { hasProcess, hasProgram } = sidesOf(map, { ...map.counters, usercnt: map.counters.usercnt });
      if (hasProcess && hasProgram) continue;
      const hasProducer = isForKernel ? hasProcess : hasProgram;
      const hasReader = isForKernel ? hasProgram : hasProcess;
      yield {
        severity: 'warning',
        subject: objectSubject(map),
        summary: `${objectWords(map.info)} has ${missingWords({ hasProducer, hasReader })}.`,
        evidence: {
          has_producer: hasProducer,
          has_reader: hasReader,
          refcnt: Number(map.counters.refcnt),
          usercnt: Number(map.counters.usercnt),
          pins: pathsOf(map.pins),
        },
      };
    }
  },
};

/** A process has it where there are more user references than pins; the others are programs. */
function sidesOf(
  map: WorldObject<MapInfo>,
  { refcnt, usercnt }: Required<Pick<Counters, 'refcnt' | 'usercnt'>>,
) {
  return { hasProcess: usercnt > BigInt(map.pinnedInodes), hasProgram: refcnt > usercnt };
}

function missingWords(has: { readonly hasProducer: boolean; readonly hasReader: boolean }): string {
  if (has.hasReader) return 'a reader, and nothing that writes to it';
  return has.hasProducer ? 'a producer, and nobody who reads it' : 'neither a producer nor a reader';
}
