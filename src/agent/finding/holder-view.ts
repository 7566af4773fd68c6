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
  unexplained: () => 0,
  onlyProcesses: () => undefined,
  attached: new Set(),
  islands: [],
};

/** References that one reading cannot explain, by object; those with none are left out. */
export type Unexplained = ReadonlyMap<string, number>;

/** Looks for such references on some objects; what went while the reading was taken is passed over. */
export function unexplainedIn(
  { holders, countersOf }: HolderReading,
  objects: Iterable<ObjectKey>,
): Unexplained {
  const found = new Map<string, number>();
  for (const { kind, id } of objects) {
    const object = { kind, id };
    const one = unexplainedOf(kind, accountOf(holders.of(object)), countersOf(object));
    const count = one?.isSettled === true ? one.users + one.kernel : 0;
    if (count > 0) found.set(keyOf(object), count);
  }
  return found;
}

/** What both readings cannot explain: what comes while one is taken is counted and not shown. */
export function unexplainedInBoth(first: Unexplained, second: Unexplained): Unexplained {
  return new Map(
    [...first].flatMap(([key, count]) => {
      const other = second.get(key);
      return other === undefined ? [] : [[key, Math.min(count, other)] as const];
    }),
  );
}

/** Holders as rules ask about them. */
export function holderView(
  reading: HolderReading,
  unexplained: Unexplained,
  islands: WorldHolders['islands'],
): WorldHolders {
  const { attachments } = reading.facts;
  return {
    unexplained: (kind, id) => unexplained.get(keyOf({ kind, id })) ?? 0,
    onlyProcesses: (kind, id) => {
      const found = new Map<number, WorldProcess>();
      const search = { ...reading, found, seen: new Set<string>() };
      return isHeldByFiles({ kind, id }, search) ? [...found.values()] : undefined;
    },
    islands,
    attached: new Set(attachments.flatMap(({ object: { kind, id } }) => (kind === 'program' ? id : []))),
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
