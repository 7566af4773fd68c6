import { limits } from '../../model/limits.ts';
import type { Unreachable } from '../../model/schema/cluster.ts';
import type { NodeCaller, NodeTarget } from '../node-call.ts';
import { Absentees } from './absentees.ts';
import type { ListQuestion } from './node-answer.ts';
import { type FleetItem, type NodePage, readNodePage } from './node-page.ts';

/** A node that may be asked, or why it is not. */
export interface Candidate {
  readonly name: string;
  /** Undefined for one that is gone. */
  readonly target: NodeTarget | undefined;
  /** Why it is not asked. */
  readonly reason: string;
}

/** Where a fleet's list goes on: after a position of one node, or at its beginning. */
export interface FleetPosition {
  readonly node: string;
  readonly after: string | undefined;
}

/** A page of the fleet's list: by name of the node, and within a node in its own order. */
export interface FleetPage {
  readonly items: readonly FleetItem[];
  readonly next: FleetPosition | undefined;
  readonly unreachable: readonly Unreachable[];
}

/** What a page is made from. */
export interface FleetListRequest {
  readonly caller: NodeCaller;
  /** In order of their names. */
  readonly nodes: readonly Candidate[];
  readonly question: ListQuestion;
  readonly signal: AbortSignal;
}

/** The first nodes of a page are asked together, then twice as many each time it is not yet full. */
const firstWave = 4;

/**
 * One page. The order is by node first: a position is then one node's own cursor, whatever the number of
 * nodes, and a page asks only as many nodes as it needs.
 *
 * @throws PinfoldError where all that were asked refuse the question itself
 */
export async function readFleetPage(
  request: FleetListRequest,
  slice: { readonly limit: number; readonly from: FleetPosition | undefined },
): Promise<FleetPage> {
  const { from, limit } = slice;
  const left = request.nodes.filter(({ name }) => from === undefined || name >= from.node);
  const items: FleetItem[] = [];
  const absentees = new Absentees();
  let wave = firstWave;
  for (let at = 0; at < left.length; ) {
    const room = limit - items.length;
    const asked = left.slice(at, at + wave);
    const answers = await askAll(request, absentees, asked, {
      from,
      limit: Math.min(room, limits.nodePageItems),
    });
    for (const [index, answer] of answers.entries()) {
      if (answer === undefined) continue;
      const end = await takePage(request, { items, limit, absentees }, answer);
      if (end === undefined) continue;
      const following = left[at + index + 1]?.name;
      const next =
        end.after !== undefined
          ? end
          : following === undefined
            ? undefined
            : { node: following, after: undefined };
      return { items, next, unreachable: absentees.settle(answer.node.name) };
    }
    at += asked.length;
    wave = Math.min(2 * wave, limits.nodesAtOnce);
  }
  return { items, next: undefined, unreachable: absentees.settle() };
}

interface Answered {
  readonly node: NodeTarget;
  /** Where its first page begins. */
  readonly after: string | undefined;
  readonly page: NodePage;
}

async function askAll(
  { caller, question, signal }: FleetListRequest,
  absentees: Absentees,
  asked: readonly Candidate[],
  slice: { readonly from: FleetPosition | undefined; readonly limit: number },
): Promise<readonly (Answered | undefined)[]> {
  return await Promise.all(
    asked.map(async ({ name, target, reason }) => {
      if (target === undefined) {
        absentees.add({ node: name, reason });
        return undefined;
      }
      const after = slice.from?.node === name ? slice.from.after : undefined;
      try {
        const page = await readNodePage(caller, target, question, { limit: slice.limit, after, signal });
        absentees.answered();
        return { node: target, after, page };
      } catch (error) {
        absentees.note(name, error);
        return undefined;
      }
    }),
  );
}

/**
 * Puts a node's items on the page, and reads on in it while there is room. Answers where the page ends, if it
 * is full then: in the middle of this node, or after it. A node that answers no further is noted.
 *
 * A page that is too long for the room was asked for before the room was known: it is asked for again as long
 * as the room is, because only the end of a page has a position.
 */
async function takePage(
  { caller, question, signal }: FleetListRequest,
  full: { readonly items: FleetItem[]; readonly limit: number; readonly absentees: Absentees },
  { node, page: first, after: begin }: Answered,
): Promise<FleetPosition | undefined> {
  const room = (): number => Math.min(full.limit - full.items.length, limits.nodePageItems);
  let after = begin;
  let page = first;
  try {
    for (;;) {
      if (page.items.length > room())
        page = await readNodePage(caller, node, question, { limit: room(), after, signal });
      full.items.push(...page.items);
      if (full.items.length >= full.limit) return { node: node.name, after: page.next };
      if (page.next === undefined) return undefined;
      after = page.next;
      page = await readNodePage(caller, node, question, { limit: room(), after, signal });
    }
  } catch (error) {
    full.absentees.note(node.name, error);
    return undefined;
  }
}
