import type { Judgement, Rule } from '../rule.ts';
import { countOf, objectSubject, objectWords, pathsOf } from '../words.ts';
import type { World } from '../world.ts';

/** Tail-call tables that are emptied when one descriptor or pin goes. */
export const progArraySingleUser: Rule = {
  id: 'prog_array_single_user',
  title: 'Tail-call table kept by one user reference',
  severities: ['warning'],
  needs: ['objects', 'counters'],
  meaning:
    'The kernel empties a prog_array when its last user reference goes, a pin or an open file, although ' +
    'programs still use it. Their tail calls then end silently.',
  advice: 'Pin the map once more, in a place that nobody cleans up, or have its loader keep it open.',
  *judge(world: World): Iterable<Judgement> {
    for (const map of world.maps.values()) {
      const { info, pins, pinnedInodes, counters } = map;
      if (info.type !== 'prog_array' || counters?.usercnt !== 1n || counters.refcnt <= 1n) continue;
      const programs = Number(counters.refcnt - counters.usercnt);
      const keeper = pinnedInodes === 1 ? 'One pin' : 'One open file';
      yield {
        severity: 'warning',
        subject: objectSubject(map),
        summary:
          `${keeper} keeps the slots of ${objectWords(info)}, which ` +
          `${countOf(programs, 'other object')} ${programs === 1 ? 'relies' : 'rely'} on.`,
        evidence: { usercnt: 1, refcnt: Number(counters.refcnt), pins: pathsOf(pins) },
      };
    }
  },
};
