import { type EventPlace, parseEventPlace } from '../../model/event-place.ts';
import { isRecord } from '../../model/record.ts';
import type { NodeCaller, NodeTarget } from '../node-call.ts';
import {
  isNextCursor,
  type ListQuestion,
  type NodeSlice,
  noPage,
  parseNodeJson,
  readNodeAnswer,
} from './node-answer.ts';

/** A member of the fleet's answers: what the node said, and whose it is. */
export type FleetItem = Readonly<Record<string, unknown>> & { readonly node: string };

/** What a node says where its history cannot go on from a place. */
export interface NodeGap {
  readonly after: number;
  readonly next: number;
  readonly reason: string;
}

/** One page of one node's list. */
export interface NodePage {
  readonly items: readonly FleetItem[];
  readonly next: string | undefined;
  /** Of history: the place up to which this page tells, and what is missing before it. */
  readonly resume?: string;
  readonly gap?: NodeGap;
  /** Of history: where the page begins, and the place after each item. Older nodes do not say. */
  readonly places?: readonly EventPlace[];
}

/**
 * Asks one node for a page of a list. What it answers is checked: a node that sends something else than a
 * page counts as one that did not answer.
 *
 * @throws PinfoldError as `readNodeAnswer`
 */
export async function readNodePage(
  caller: NodeCaller,
  node: NodeTarget,
  question: ListQuestion,
  slice: NodeSlice,
): Promise<NodePage> {
  const bytes = await readNodeAnswer(caller, node, question, { ...slice, accept: 'application/json' });
  return pageOf(node, parseNodeJson(node, bytes), slice);
}

function pageOf(node: NodeTarget, document: unknown, slice: NodeSlice): NodePage {
  if (!isRecord(document) || !Array.isArray(document['items'])) throw noPage(node);
  const { items, next_cursor: next, resume, gap, places } = document;
  if (!Array.isArray(items) || items.length > slice.limit || !isNextCursor(next, slice, items.length))
    throw noPage(node);
  const own = items.map((item: unknown) => {
    if (!isRecord(item)) throw noPage(node);
    return { ...item, node: node.name };
  });
  return {
    items: own,
    next: next ?? undefined,
    ...(typeof resume === 'string' ? { resume } : {}),
    ...(gap === undefined ? {} : { gap: gapOf(node, gap) }),
    ...(places === undefined ? {} : { places: placesOf(node, places, own) }),
  };
}

/** Each but the first is after the item of its number. */
function placesOf(node: NodeTarget, places: unknown, items: readonly FleetItem[]): readonly EventPlace[] {
  if (!Array.isArray(places) || places.length !== items.length + 1) throw noPage(node);
  return places.map((text: unknown, index) => {
    const place = typeof text === 'string' ? parseEventPlace(text) : undefined;
    const item = items[index - 1];
    if (place === undefined || (item !== undefined && item['seq'] !== place.seq)) throw noPage(node);
    return place;
  });
}

function gapOf(node: NodeTarget, gap: unknown): NodeGap {
  const { after, next, reason } = isRecord(gap) ? gap : {};
  const isGap = Number.isSafeInteger(after) && Number.isSafeInteger(next) && typeof reason === 'string';
  if (!isGap || typeof after !== 'number' || typeof next !== 'number' || next < 1) throw noPage(node);
  return { after, next, reason: reason.slice(0, 64) };
}
