import type { WorldHolders, WorldProcess } from '../../model/finding/world.ts';
import type { Counters } from '../../model/hazard.ts';
import { accountOf, shownBy, unexplainedOf } from '../../model/holder/account.ts';
import type { HolderFacts, ObjectKey } from '../../model/holder/facts.ts';
import { type Holders, keyOf } from '../../model/holder/holders.ts';

/** All holders at one moment, and the counters of that moment. */
export interface HolderReading {
  readonly facts: HolderFacts;
  readonly holders: Holders;
  countersOf(object: ObjectKey): Counters | undefined;
}

/** Nothing is known of holders. */
export const noHolders: WorldHolders = {
  unexplained: () => undefined,
  onlyProcesses: () => undefined,
  attached: new Set(),
};

/**
 * Holders as rules ask about them, from readings shortly after one another: what comes while one is taken is
 * counted and not shown, so that only what all of them cannot explain is unexplained.
 */
export function holderView(readings: readonly [HolderReading, ...HolderReading[]]): WorldHolders {
  const [{ facts }] = readings;
  return {
    unexplained: (kind, id) => {
      const counts = readings.flatMap(({ holders, countersOf }) => {
        const object = { kind, id };
        const found = unexplainedOf(kind, accountOf(holders.of(object)), countersOf(object));
        return found?.isSettled === true ? found.users + found.kernel : [];
      });
      return counts.length === readings.length ? Math.min(...counts) : undefined;
    },
    onlyProcesses: (kind, id) => {
      const found = new Map<number, WorldProcess>();
      const [reading] = readings;
      return isHeldByFiles({ kind, id }, { ...reading, found, seen: new Set<string>() })
        ? [...found.values()]
        : undefined;
    },
    attached: new Set(
      facts.attachments.flatMap(({ object }) => (object.kind === 'program' ? object.id : [])),
    ),
  };
}

/** Processes found so far, and objects that were asked about. */
interface Search extends Pick<HolderReading, 'holders' | 'countersOf'> {
  readonly found: Map<number, WorldProcess>;
  readonly seen: Set<string>;
}

/** Whether open files alone keep an object, directly or through what holds it; collects their processes. */
function isHeldByFiles(object: ObjectKey, search: Search): boolean {
  const { holders, countersOf, seen } = search;
  if (seen.has(keyOf(object))) return true;
  seen.add(keyOf(object));
  const all = holders.of(object);
  const counters = countersOf(object);
  // Somebody who is not seen may hold it, too.
  if (counters !== undefined && counters.refcnt > BigInt(shownBy(accountOf(all)))) return false;
  return all.every((holder) => {
    if (holder.by === 'object') return isHeldByFiles(holder.hold.holder, search);
    if (holder.by !== 'file') return false;
    for (const { pid } of [...holder.file.descriptors, ...holder.file.mappings]) {
      search.found.set(pid, { pid, comm: holders.processOf(pid)?.comm ?? '' });
    }
    return true;
  });
}
