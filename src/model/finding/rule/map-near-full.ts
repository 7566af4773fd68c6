import type { Judgement, Rule } from '../rule.ts';
import { objectSubject, objectWords, pathsOf } from '../words.ts';
import type { World } from '../world.ts';

/** Maps into which little more fits. */
export const mapNearFull: Rule = {
  id: 'map_near_full',
  title: 'Map near full',
  severities: ['warning', 'critical'],
  needs: ['objects', 'entries'],
  meaning:
    'When a map is full, updates fail with E2BIG: new connections, addresses or counters are not taken up. ' +
    'Maps that evict old entries (LRU) are full as a rule, and are left out.',
  advice: 'Look for entries that are never removed, or load the programs again with a larger map.',
  *judge(world: World): Iterable<Judgement> {
    for (const [id, entries] of world.entries) {
      const map = world.maps.get(id);
      if (map === undefined || map.info.type.startsWith('lru_')) continue;
      const { max_entries } = map.info;
      if (max_entries === 0 || entries < max_entries * world.thresholds.mapFullRatio) continue;
      const isFull = entries >= max_entries;
      const end = isFull ? ': it is full' : '';
      yield {
        severity: isFull ? 'critical' : 'warning',
        subject: objectSubject(map),
        summary: `${objectWords(map.info)} has ${entries} of ${max_entries} entries${end}.`,
        evidence: { entries, max_entries, pins: pathsOf(map.pins) },
      };
    }
  },
};
