import type { LinkInfo } from '../../schema/link-info.ts';
import type { MapInfo } from '../../schema/map-info.ts';
import type { Judgement, Rule } from '../rule.ts';
import { countOf, objectSubject, objectWords } from '../words.ts';
import type { World, WorldObject } from '../world.ts';

/** Objects that somebody holds whom nobody can name. */
export const hiddenHolder: Rule = {
  id: 'hidden_holder',
  title: 'Hidden holder',
  severities: ['warning'],
  needs: ['objects', 'counters', 'holders'],
  meaning:
    'The kernel counts more references on the object than pins, files, programs and slots can be found. ' +
    'Something holds it where no tool looks: a descriptor on its way through a socket, a file registered ' +
    'with io_uring. It may keep the object alive after everything that is seen has gone.',
  advice:
    'See what is known with `pinfold why`; look for processes that pass descriptors or use io_uring. ' +
    'A prog_array without users may have lost references in the kernel itself.',
  *judge(world: World): Iterable<Judgement> {
    for (const map of world.maps.values()) yield* judgeOne(map, world);
    for (const link of world.links.values()) yield* judgeOne(link, world);
  },
};

/** Programs are left out: one attachment may be several references. */
function* judgeOne(object: WorldObject<MapInfo | LinkInfo>, { holders }: World): Iterable<Judgement> {
  const { info, counters } = object;
  const unexplained = holders.unexplained(info.kind, info.id);
  if (unexplained <= 0) return;
  yield {
    severity: 'warning',
    subject: objectSubject(object),
    summary: `${countOf(unexplained, 'reference')} on ${objectWords(info)} cannot be explained.`,
    evidence: { unexplained, refcnt: Number(counters?.refcnt ?? 0n) },
  };
}
