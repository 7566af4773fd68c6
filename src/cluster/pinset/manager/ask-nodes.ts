import type { ClusterName } from '../../../model/cluster/key.ts';
import { isNodePinSet, isPinSetDiff } from '../../../model/cluster/pinset/documents.ts';
import { isMeantFor } from '../../../model/cluster/pinset/select.ts';
import { PinfoldError } from '../../../model/error.ts';
import type { Caller } from '../../../model/role.ts';
import type { Unreachable } from '../../../model/schema/cluster.ts';
import type { NodePinSet, PinSet } from '../../../model/schema/pinset.ts';
import type { FleetPinSetDiff } from '../../../model/schema/pinset-fleet.ts';
import { withDeadline } from '../../deadline.ts';
import { parseNodeJson, readWhole } from '../../fan-out/node-answer.ts';
import type { Fleet } from '../../fleet.ts';
import { unreachable } from '../../node-call.ts';

/** For whom nodes are asked, and for how long. */
export interface Asking {
  readonly caller: Caller;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

/** What each node that a pin set is meant for would do; nothing is changed. */
export async function diffOnNodes(
  fleet: Fleet,
  spec: PinSet,
  { caller, deadlineMs, signal }: Asking,
): Promise<Pick<FleetPinSetDiff, 'items' | 'unreachable'>> {
  const nodes = fleet
    .nodes([])
    .filter(({ labels }) => isMeantFor(spec, labels))
    .map(({ name }) => name);
  const asked = await fleet.askEach(nodes, {
    method: 'POST',
    target: '/v1/pinsets/diff',
    caller,
    headers: { accept: 'application/json', 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(spec)),
    ...{ deadlineMs, signal },
  });
  const items: FleetPinSetDiff['items'] = [];
  const missing: Unreachable[] = [...asked.unreachable];
  for (const { node, document } of asked.answers) {
    if (isPinSetDiff(document)) items.push({ node, ...document });
    else missing.push({ node, reason: 'its answer is not what it would do.' });
  }
  return { items, unreachable: missing };
}

/**
 * A pin set as one node has it.
 *
 * @throws PinfoldError node_not_found, pinset_not_found, node_unreachable, forbidden
 */
export async function readPinSetOf(
  fleet: Fleet,
  from: { readonly node: ClusterName; readonly name: ClusterName },
  { caller, deadlineMs, signal: gone }: Asking,
): Promise<NodePinSet> {
  const { node, name } = from;
  const request = {
    method: 'GET',
    target: `/v1/pinsets/${encodeURIComponent(name)}`,
    caller,
    headers: { accept: 'application/json' },
  };
  const { status, bytes } = await withDeadline(gone, deadlineMs, async (signal) => {
    const answer = await fleet.pass(node, { ...request, signal });
    return { status: answer.status, bytes: await readWhole({ name: node }, answer.body, signal) };
  });
  const document = parseNodeJson({ name: node }, bytes);
  if (status === 404)
    throw new PinfoldError('pinset_not_found', { detail: `The node ${node} has no pin set ${name}.` });
  if (status === 200 && isNodePinSet(document)) {
    if (document.entries_withheld !== true) return document;
    const detail = `The node ${node} does not show a manager what is in maps: its --fleet-role is too low.`;
    throw new PinfoldError('forbidden', { detail });
  }
  throw unreachable(node, `its answer (${status}) is no pin set.`);
}
