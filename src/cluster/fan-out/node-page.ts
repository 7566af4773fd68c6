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

/** One page of one node's list. */
export interface NodePage {
  readonly items: readonly FleetItem[];
  readonly next: string | undefined;
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
  const { items, next_cursor: next } = document;
  if (!Array.isArray(items) || items.length > slice.limit || !isNextCursor(next, slice, items.length))
    throw noPage(node);
  return {
    items: items.map((item: unknown) => {
      if (!isRecord(item)) throw noPage(node);
      return { ...item, node: node.name };
    }),
    next: next ?? undefined,
  };
}
