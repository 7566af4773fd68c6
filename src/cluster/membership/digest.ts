import { createHash } from 'node:crypto';
import type { Agent } from '../../agent/agent.ts';
import { limits } from '../../model/limits.ts';
import type { DigestDocument } from '../../model/schema/cluster.ts';

/**
 * Says what a node has, in short, as often as it is asked; undefined while the node has not observed
 * everything once. Its pins are hashed a page at a time, between which everybody else has their turn, and
 * only when an event has told that they are others than before.
 */
export function digester(agent: Agent): () => Promise<DigestDocument | undefined> {
  let changes = 0;
  let kept: { readonly changes: number; readonly hash: string } | undefined;
  agent.statistics.onEvents((events) => {
    if (events.some(({ type }) => type.startsWith('pin.') || type.startsWith('mount.'))) changes++;
  });
  return async () => {
    if (agent.notReady() !== undefined) return undefined;
    if (kept?.changes !== changes) {
      const before = changes;
      kept = { changes: before, hash: await hashOfPins(agent) };
    }
    const { hash } = kept;
    const { labels, boot_id, pins, objects, observed_at } = agent.reads.node();
    const findings: Record<string, number> = {};
    for (const { severity, count } of agent.statistics.findingCounts()) {
      if (count > 0) findings[severity] = (findings[severity] ?? 0) + count;
    }
    return { observed_at, boot_id, labels, pins, objects, findings, hash };
  };
}

/** By the tree: of what the list of pins shows, documents are kept for the next who asks. */
async function hashOfPins(agent: Agent): Promise<string> {
  const hash = createHash('sha256');
  let after: string | undefined;
  do {
    const { value } = agent.reads.tree({ mount: undefined }, { after, limit: limits.pageItemsDefault });
    for (const { entry, mount, path, path_bytes, kind, id } of value.items) {
      if (entry === 'pin') hash.update(JSON.stringify([mount, path_bytes ?? path, kind, id]));
    }
    after = value.next;
    await new Promise((resolve) => setImmediate(resolve));
  } while (after !== undefined);
  return hash.digest('base64url');
}
