import { limits } from '../../model/limits.ts';
import type { Unreachable } from '../../model/schema/cluster.ts';
import { withDeadline } from '../deadline.ts';
import type { NodeCaller, NodeRequest } from '../node-call.ts';
import { Absentees } from './absentees.ts';
import type { Candidate } from './list.ts';
import { askNode, parseNodeJson } from './node-answer.ts';

/** What many nodes are asked at once, and how long each is waited for. */
export interface EachRequest extends NodeRequest {
  readonly deadlineMs: number;
}

/** What nodes answered, by name, and who did not. */
export interface EachAnswer {
  readonly answers: readonly { readonly node: string; readonly document: unknown }[];
  readonly unreachable: readonly Unreachable[];
}

/**
 * Asks nodes the same thing, so many at a time.
 *
 * @throws PinfoldError where all that were asked refuse the question itself
 */
export async function askEach(
  caller: NodeCaller,
  nodes: readonly Candidate[],
  { deadlineMs, ...request }: EachRequest,
): Promise<EachAnswer> {
  const answers: { readonly node: string; readonly document: unknown }[] = [];
  const absentees = new Absentees();
  const left = nodes.values();
  const work = async (): Promise<void> => {
    for (const { name, target, reason } of left) {
      if (target === undefined) {
        absentees.add({ node: name, reason });
        continue;
      }
      try {
        const bytes = await withDeadline(request.signal, deadlineMs, (signal) =>
          askNode(caller, target, { ...request, signal }),
        );
        answers.push({ node: name, document: parseNodeJson(target, bytes) });
        absentees.answered();
      } catch (error) {
        absentees.note(name, error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limits.nodesAtOnce, nodes.length) }, work));
  answers.sort((one, other) => (one.node < other.node ? -1 : 1));
  return { answers, unreachable: absentees.settle() };
}
