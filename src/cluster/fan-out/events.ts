import { parseEventPlace } from '../../model/event-place.ts';
import { limits } from '../../model/limits.ts';
import type { Unreachable } from '../../model/schema/cluster.ts';
import { unreachable as unreachableNode } from '../node-call.ts';
import { Absentees } from './absentees.ts';
import type { FleetListRequest } from './list.ts';
import { type FleetItem, type NodeGap, type NodePage, readNodePage } from './node-page.ts';
import { asAsked, type FleetPlaces, formatShortPlace, shortPlace } from './places.ts';

/** Events of a node that are missing after the place a reader had. */
export interface FleetGap extends NodeGap {
  readonly node: string;
}

/** Events of many nodes. */
export interface FleetEvents {
  /** By time; events of one node stay in their own order. */
  readonly items: readonly FleetItem[];
  /** Where to go on. */
  readonly places: FleetPlaces;
  /** Whether there is more now. */
  readonly hasMore: boolean;
  readonly unreachable: readonly Unreachable[];
  readonly gaps: readonly FleetGap[];
}

/** What one node has, and how much of it was taken. */
interface Source {
  readonly items: readonly FleetItem[];
  readonly hasMore: boolean;
  /** Its place after all of that; undefined where it does not say. */
  readonly end: string | undefined;
  /** Its place before the first item, and after each. */
  readonly places: readonly string[];
  taken: number;
}

/** Asked of each node at least, so that nodes with many events are not asked for one at a time. */
const leastAtOnce = 20;

/**
 * The next events of the fleet after some places, merged by their times. Clocks of nodes differ, so the order
 * between nodes is as good as their clocks; a node's own events are always in order, and none is left out or
 * told twice: where a node's history cannot go on from its place, `gaps` says so.
 *
 * A node that has nothing of what was asked for has a place after it all the same. One that is in no place
 * has joined since the reader began.
 *
 * The page ends early where a node has more than was asked of it: what comes next there is not known yet.
 */
export async function readFleetEvents(
  request: FleetListRequest,
  slice: { readonly limit: number; readonly after: FleetPlaces },
): Promise<FleetEvents> {
  const { nodes } = request;
  const { after } = slice;
  const each = Math.min(slice.limit, Math.max(leastAtOnce, Math.ceil((2 * slice.limit) / nodes.length)));
  const sources = new Map<string, Source>();
  const absentees = new Absentees();
  const gaps: FleetGap[] = [];
  const left = nodes.values();
  const work = async (): Promise<void> => {
    for (const { name, target, reason } of left) {
      if (target === undefined) {
        absentees.add({ node: name, reason });
        continue;
      }
      try {
        const question = { ...request.question, query: placed(request.question.query, name, after) };
        const page = await readNodePage(request.caller, target, question, {
          limit: each,
          after: undefined,
          signal: request.signal,
        });
        const { items, next, resume, gap } = page;
        assertNumbered(name, items, gap === undefined ? seqOfPlace(after, name) : gap.next - 1);
        absentees.answered();
        if (gap !== undefined) gaps.push({ node: name, ...gap });
        const hasMore = next !== undefined;
        const end = hasMore || resume === undefined ? undefined : shortPlace(resume);
        sources.set(name, { items, hasMore, end, places: placesIn(page), taken: 0 });
      } catch (error) {
        absentees.note(name, error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limits.nodesAtOnce, nodes.length) }, work));
  gaps.sort((one, other) => (one.node < other.node ? -1 : 1));
  return { ...merge(sources, slice, gaps), unreachable: absentees.settle(), gaps };
}

/** The question for one node: after the last event that was taken of it. */
function placed(query: URLSearchParams, node: string, { begun, nodes }: FleetPlaces): URLSearchParams {
  const own = new URLSearchParams(query);
  const place = nodes.get(node) ?? begun;
  if (place !== asAsked) own.set('since', place);
  return own;
}

/** An older node tells of no places within its page: there they are numbers alone. */
function placesIn({ items, gap, places }: NodePage): readonly string[] {
  if (places !== undefined) return places.map(formatShortPlace);
  return [(gap?.next ?? 1) - 1, ...items.map(seqOf)].map(String);
}

function seqOfPlace({ nodes }: FleetPlaces, node: string): number {
  return parseEventPlace(nodes.get(node) ?? '')?.seq ?? 0;
}

function merge(
  sources: ReadonlyMap<string, Source>,
  { limit, after }: { readonly limit: number; readonly after: FleetPlaces },
  gaps: readonly FleetGap[],
): Omit<FleetEvents, 'unreachable' | 'gaps'> {
  const items: FleetItem[] = [];
  const nodes = new Map(after.nodes);
  for (const { node, next } of gaps) nodes.set(node, sources.get(node)?.places[0] ?? String(next - 1));
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
    nodes.set(item.node, next.places[next.taken] ?? String(seqOf(item)));
  }
  let hasMore = false;
  for (const [node, { items: all, taken, hasMore: more, end }] of sources) {
    if (more || taken < all.length) hasMore = true;
    else if (end !== undefined) nodes.set(node, end);
  }
  return { items, places: { begun: after.begun, nodes }, hasMore };
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
