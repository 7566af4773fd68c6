import type { Judgement, Rule } from '../rule.ts';
import { objectSubject, objectWords, pathsOf, quoted } from '../words.ts';
import type { World } from '../world.ts';

/** Links that one file keeps attached. */
export const linkSinglePin: Rule = {
  id: 'link_single_pin',
  title: 'Link kept by one pin',
  severities: ['info'],
  needs: ['objects', 'counters'],
  meaning:
    'One pin alone keeps the link attached. Whoever removes that file, or unmounts its bpffs, detaches the ' +
    'program at once.',
  advice: 'Nothing, where that is meant; Pinfold refuses to remove such a pin unless that is accepted.',
  *judge(world: World): Iterable<Judgement> {
    for (const link of world.links.values()) {
      const { info, pins, pinnedInodes, counters } = link;
      const [pin] = pins;
      if (pin === undefined || pinnedInodes !== 1 || counters?.refcnt !== 1n) continue;
      if (info.is_attached === false) continue;
      yield {
        severity: 'info',
        subject: objectSubject(link),
        summary: `The pin ${quoted(pin.path)} alone keeps ${objectWords(info)} attached.`,
        evidence: { refcnt: 1, pins: pathsOf(pins) },
      };
    }
  },
};
