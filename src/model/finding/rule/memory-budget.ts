import { isWithin, textOf } from '../../path.ts';
import type { FindingSubject } from '../../schema/finding.ts';
import type { MapInfo } from '../../schema/map-info.ts';
import type { Judgement, Rule } from '../rule.ts';
import { budgetName, type MemoryBudget } from '../thresholds.ts';
import { countOf } from '../words.ts';
import type { World, WorldObject } from '../world.ts';

const mapsShown = 10;

/** Owners and directories whose maps take more memory than they were given. */
export const memoryBudget: Rule = {
  id: 'memory_budget',
  title: 'Map memory above a budget',
  severities: ['warning'],
  needs: ['objects'],
  meaning:
    'The pinned maps of an owner, or below a directory, take more memory than the configuration gives them.',
  advice: 'Look at the largest maps in the evidence; make them smaller, or the budget larger.',
  *judge(world: World): Iterable<Judgement> {
    for (const budget of world.thresholds.memoryBudgets) {
      const maps = [...world.maps.values()].filter((map) => isOf(map, budget));
      const bytes = maps.reduce((sum, { info }) => sum + (info.memlock ?? 0), 0);
      if (bytes <= budget.bytes) continue;
      const largest = maps.sort((one, other) => (other.info.memlock ?? 0) - (one.info.memlock ?? 0));
      yield {
        severity: 'warning',
        subject: subjectOf(budget),
        summary:
          `${countOf(maps.length, 'map')} of ${budgetName(budget)} ${maps.length === 1 ? 'takes' : 'take'} ` +
          `${bytes} bytes; the budget is ${budget.bytes}.`,
        evidence: {
          memory_bytes: bytes,
          budget_bytes: budget.bytes,
          maps: maps.length,
          largest: largest.slice(0, mapsShown).map(({ info }) => ({
            id: info.id,
            name: info.name,
            memory_bytes: info.memlock ?? 0,
          })),
        },
      };
    }
  },
};

function isOf({ pins }: WorldObject<MapInfo>, { of }: MemoryBudget): boolean {
  return pins.some(({ path, owner }) => ('owner' in of ? owner === of.owner : isWithin(path, of.prefix)));
}

function subjectOf({ of }: MemoryBudget): FindingSubject {
  return 'owner' in of ? { owner: of.owner } : { prefix: textOf(of.prefix) };
}
