import { createHash } from 'node:crypto';
import type { Agent } from '../../agent/agent.ts';
import { limits } from '../../model/limits.ts';
import type { DigestDocument } from '../../model/schema/cluster.ts';

/**
 * What a node has, in short. Its pins are hashed a page at a time, between which everybody else has their
 * turn; undefined while the node has not observed everything once.
 */
export async function digestOf(agent: Agent): Promise<DigestDocument | undefined> {
  if (agent.notReady() !== undefined) return undefined;
  const hash = createHash('sha256');
  let after: string | undefined;
  do {
    const { value } = agent.reads.pins({ mount: undefined }, { after, limit: limits.pageItemsDefault });
    for (const { mount, path, path_bytes, kind, id } of value.items) {
      hash.update(JSON.stringify([mount, path_bytes ?? path, kind, id]));
    }
    after = value.next;
    await new Promise((resolve) => setImmediate(resolve));
  } while (after !== undefined);
  const { labels, boot_id, pins, objects, observed_at } = agent.reads.node();
  const findings: Record<string, number> = {};
  for (const { severity, count } of agent.statistics.findingCounts()) {
    if (count > 0) findings[severity] = (findings[severity] ?? 0) + count;
  }
  return { observed_at, boot_id, labels, pins, objects, findings, hash: hash.digest('base64url') };
}
