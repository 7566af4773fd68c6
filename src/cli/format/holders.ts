import type { Why } from '../../client/documents.ts';
import { escapeText } from '../../model/escape.ts';
import { shownPath } from '../resource/cell.ts';
import type { Branch } from './tree.ts';

type Node = Why['nodes'][number];
type Edge = Why['edges'][number];

/**
 * The graph of holders as a tree below the object asked about: who holds it, and who holds those. What has
 * been shown once, and holds something else too, is only named again.
 */
export function holderTree({ object, nodes, edges }: Why): Branch {
  const byKey = new Map(nodes.map((node) => [node.key, node]));
  const above = new Map<string, Edge[]>();
  for (const edge of edges) {
    const others = above.get(edge.held);
    if (others === undefined) above.set(edge.held, [edge]);
    else others.push(edge);
  }
  const shown = new Set<string>();
  const branchOf = (node: Node, prefix: string): Branch => {
    const label = `${prefix}${labelOf(node)}`;
    const holders = above.get(node.key) ?? [];
    if (shown.has(node.key))
      return { label: holders.length === 0 ? label : `${label} (see above)`, children: [] };
    shown.add(node.key);
    const attached = node.node === 'object' ? (node.attached_to ?? []) : [];
    return {
      label,
      children: [
        ...attached.map(({ text }) => ({ label: `attached: ${escapeText(text)}`, children: [] })),
        ...holders.filter(isWorthALine(byKey)).flatMap(({ holder, slot, hold }) => {
          const found = byKey.get(holder);
          const where = hold === 'slot' ? `slot ${escapeText(slot ?? '')} of ` : '';
          return found === undefined ? [] : branchOf(found, where);
        }),
      ],
    };
  };
  const key = `${object.kind}:${object.id}`;
  const root = byKey.get(key);
  return root === undefined ? { label: key, children: [] } : branchOf(root, '');
}

/** Every pin is in a bpffs; that is said only of those that are out of the ordinary. */
function isWorthALine(byKey: ReadonlyMap<string, Node>): (edge: Edge) => boolean {
  return ({ holder }) => {
    const node = byKey.get(holder);
    return node?.node !== 'filesystem' || node.state !== 'mounted';
  };
}

function labelOf(node: Node): string {
  switch (node.node) {
    case 'object':
      return [node.kind, node.id, node.type, node.name].filter(isKnown).map(String).map(escapeText).join(' ');
    case 'pin':
      return `pin ${node.names.map(shownPath).join(' = ')}  ${node.mount}`;
    case 'open_inode':
      return `unlinked pin ${escapeText(node.path)}, open as ${descriptors(node.descriptors)}`;
    case 'file':
      return fileLabel(node);
    case 'process':
      return [`pid ${node.pid}`, escapeText(node.comm), ownerOf(node)].filter(isKnown).join(' ');
    case 'filesystem':
      return `bpffs ${node.mount}, ${node.state === 'detached' ? 'mounted nowhere' : 'mounted over'}`;
    case 'attachment':
      return `attached: ${escapeText(node.text)}`;
  }
}

function fileLabel({
  descriptors: opened,
  mapped_by: mappedBy,
  through,
}: Extract<Node, { node: 'file' }>): string {
  const how = through === 'iterator' ? 'iterator, ' : '';
  if (opened.length > 0) return `${how}${descriptors(opened)}`;
  return `${how}mapping in ${mappedBy.map((pid) => `pid ${pid}`).join(', ')}`;
}

function descriptors(opened: readonly { readonly pid: number; readonly fd: number }[]): string {
  const shown = opened.slice(0, 8).map(({ pid, fd }) => `fd ${fd} of pid ${pid}`);
  const left = opened.length - shown.length;
  return [...shown, ...(left === 0 ? [] : [`${left} more`])].join(', ');
}

function ownerOf({ unit, container, pod }: Extract<Node, { node: 'process' }>): string | undefined {
  const owners = [
    container === undefined ? unit : `container ${container.slice(0, 12)}`,
    pod === undefined ? undefined : `pod ${pod}`,
  ].filter(isKnown);
  return owners.length === 0 ? undefined : `(${owners.map(escapeText).join(', ')})`;
}

function isKnown<Value>(value: Value | undefined | ''): value is Value {
  return value !== undefined && value !== '';
}
