import type { Agent } from '../../../agent/agent.ts';
import { isPinfoldError } from '../../../model/error.ts';
import { escapeText } from '../../../model/escape.ts';
import type { HolderGraph } from '../../../model/schema/holder.ts';

/** So many of them are named. */
const namedMax = 4;

/** Who has a map, for a person: `pid 123 (writer), program 45 (filter)`; what is known of it, if not all. */
export function usersOf({ holders }: Pick<Agent, 'holders'>, mapId: number): string {
  try {
    const { nodes } = holders.holders('map', mapId);
    const users = nodes.flatMap((node) => nameOf(node) ?? []);
    const named = users.slice(0, namedMax).join(', ');
    const more = users.length - namedMax;
    if (users.length === 0) return 'somebody that cannot be seen from here';
    return more > 0 ? `${named} and ${more} more` : named;
  } catch (error) {
    if (!isPinfoldError(error)) throw error;
    return `somebody (${error.message})`;
  }
}

type Node = HolderGraph['nodes'][number];

/** Our own pins aside, and we ourselves, are no users. */
function nameOf(node: Node): string | undefined {
  if (node.node === 'process') {
    return node.pid === process.pid ? undefined : `pid ${node.pid} (${escapeText(node.comm)})`;
  }
  if (node.node !== 'object' || node.kind === 'map') return undefined;
  return `${node.kind} ${node.id}${node.name === undefined ? '' : ` (${escapeText(node.name)})`}`;
}
