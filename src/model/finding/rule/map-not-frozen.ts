import type { Judgement, Rule } from '../rule.ts';
import { objectSubject, objectWords, pathsOf } from '../words.ts';
import type { World } from '../world.ts';

const variablesShown = 20;

/** Constants that can be changed. */
export const mapNotFrozen: Rule = {
  id: 'map_not_frozen',
  title: 'Constants that are not frozen',
  severities: ['warning'],
  needs: ['objects', 'frozen'],
  meaning:
    'By its type information the map has nothing but constants, yet it is not frozen: user space can ' +
    'change what programs, and the verifier that removed branches on them, took for constant.',
  advice:
    'Freeze it (BPF_MAP_FREEZE, `bpftool map freeze`); its loader should do so before it loads programs.',
  *judge(world: World): Iterable<Judgement> {
    for (const [id, variables] of world.writableConstants) {
      const map = world.maps.get(id);
      if (map === undefined) continue;
      yield {
        severity: 'warning',
        subject: objectSubject(map),
        summary: `${objectWords(map.info)} holds constants, and user space may still write to it.`,
        evidence: { variables: variables.slice(0, variablesShown), pins: pathsOf(map.pins) },
      };
    }
  },
};
