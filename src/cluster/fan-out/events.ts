import { limits } from '../../model/limits.ts';
import type { Unreachable } from '../../model/schema/cluster.ts';
import { unreachable as unreachableNode } from '../node-call.ts';
import { Absentees } from './absentees.ts';
import type { FleetListRequest } from './list.ts';
import { type FleetItem, readNodePage } from './node-page.ts';

/** How far a reader has come in each node's history: the number of the last event it was given. */
export type EventPlaces = ReadonlyMap<string, number>;

/** Events of many nodes. */
export interface FleetEvents {
  /** By time; events of one node stay in their own order. */
  readonly items: readonly FleetItem[];
  /** Where to go on. */
  readonly places: EventPlaces;
  /** Whether there is more now. */
  readonly hasMore: boolean;
  readonly unreachable: readonly Unreachable[];
}

/** What one node has, and how much of it was taken. */
interface Source {
  readonly items: readonly FleetItem[];
  readonly hasMore: boolean;
  taken: number;
}

/** Asked of each node at least, so that nodes with many events are not asked for one at a time. */
const leastAtOnce = 20;

/**
 * The next events of the fleet after some places, merged by their times. Clocks of nodes differ, so the order
 * between nodes is as good as their clocks; a node's own events are always in order, and none is left out or
 * told twice.
 *
 * The page ends early where a node has more than was asked of it: what comes next there is not known yet.
 */
export async function readFleetEvents(
  request: FleetListRequest,
  slice: { readonly limit: number; readonly after: EventPlaces },
): Promise<FleetEvents> {
  const { nodes } = request;
  const each = Math.min(slice.limit, Math.max(leastAtOnce, Math.ceil((2 * slice.limit) / nodes.length)));
  const sources = new Map<string, Source>();
  const absentees = new Absentees();
  const left = nodes.values();
  const work = async (): Promise<void> => {
    for (const { name, target, reason } of left) {
      if (target === undefined) {
        absentees.add({ node: name, reason });
        continue;
      }
      try {
        const question = {
          ...request.question,
          query: placed(request.question.query, slice.after.get(name)),
        };
        const page = await readNodePage(request.caller, target, question, {
          limit: each,
          after: undefined,
          signal: request.signal,
        });
        assertNumbered(name, page.items, slice.after.get(name) ?? 0);
        absentees.answered();
        sources.set(name, { items: page.items, hasMore: page.next !== undefined, taken: 0 });
      } catch (error) {
        absentees.note(name, error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limits.nodesAtOnce, nodes.length) }, work));
  return { ...merge(sources, slice), unreachable: absentees.settle() };
}

/** The question for one node: after the last event that was taken of it. */
function placed(query: URLSearchParams, seq: number | undefined): URLSearchParams {
  const own = new URLSearchParams(query);
  if (seq !== undefined) own.set('since', String(seq));
  return own;
}

function merge(
  sources: ReadonlyMap<string, Source>,
  { limit, after }: { readonly limit: number; readonly after: EventPlaces },
): Omit<FleetEvents, 'unreachable'> {
  const items: FleetItem[] = [];
  const places = new Map(after);
  while (items.length < limit) {
    const blocked = [...sources.values()].some(
      ({ items: all, taken, hasMore }) => taken === all.length && hasMore,
    );
    const next = blocked ? undefined : earliest(sources);
    if (next === undefined) break;
    const item = next.items[next.taken];
    if (item === undefined) break;
    next.taken += 1;
    items.push(item);
    places.set(item.node, seqOf(item));
  }
  const hasMore = [...sources.values()].some(
    ({ items: all, taken, hasMore: more }) => more || taken < all.length,
  );
  return { items, places, hasMore };
}

function earliest(sources: ReadonlyMap<string, Source>): Source | undefined {
  let best: Source | undefined;
  let bestTime = '';
  for (const source of sources.values()) {
    const item = source.items[source.taken];
    if (item === undefined) continue;
    const time = String(item['time']);
    if (best === undefined || time < bestTime) {
      best = source;
      bestTime = time;
    }
  }
  return best;
}

/** A node whose numbers do not grow would be asked for the same events for ever. @throws PinfoldError */
function assertNumbered(node: string, items: readonly FleetItem[], after: number): void {
  let last = after;
  for (const item of items) {
    const seq = seqOf(item);
    if (!Number.isSafeInteger(seq) || seq <= last)
      throw unreachableNode(node, 'its events are not numbered in order.');
    last = seq;
  }
}

function seqOf({ seq }: FleetItem): number {
  return typeof seq === 'number' ? seq : Number.NaN;
}
