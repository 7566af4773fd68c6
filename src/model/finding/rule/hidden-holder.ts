import type { Judgement, Rule } from '../rule.ts';
import { countOf, objectSubject, objectWords } from '../words.ts';
import type { World } from '../world.ts';

/** Objects that somebody holds whom nobody can name. */
export const hiddenHolder: Rule = {
  id: 'hidden_holder',
  title: 'Hidden holder',
  severities: ['warning'],
  needs: ['objects', 'counters', 'holders'],
  meaning:
    'The kernel counts more references on the map than pins, files, programs and slots that can be found. ' +
    'Something holds it where no tool looks: a descriptor on its way through a socket, a file registered ' +
    'with io_uring, a bpffs that no mount shows. It may keep the map alive after everything visible is gone.',
  advice: 'See what is known with `pinfold why`; look for processes that pass descriptors or use io_uring.',
  *judge(world: World): Iterable<Judgement> {
    for (const map of world.maps.values()) {
      const unexplained = world.holders.unexplained('map', map.info.id) ?? 0;
      if (unexplained <= 0) continue;
      yield {
        severity: 'warning',
        subject: objectSubject(map),
        summary: `${countOf(unexplained, 'reference')} on ${objectWords(map.info)} cannot be explained.`,
        evidence: { unexplained, refcnt: Number(map.counters?.refcnt ?? 0n) },
      };
    }
  },
};
