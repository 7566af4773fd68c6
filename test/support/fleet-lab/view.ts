import type supertest from 'supertest';
import { until } from '../until.ts';
import type { LabNode } from './lab.ts';

/** How long a lab is waited for: leases are over after ten seconds, and machines may be busy with others. */
export const labPatience = { timeoutMs: 120_000, everyMs: 200 };

/** Asks a node something, and again where it has just closed the connection that was kept. */
export async function ask(node: LabNode, path: string): Promise<supertest.Response> {
  return await node.local.get(path).retry(3).expect(200);
}

/** What a manager says of its nodes: `a ready, b stale`. */
export async function statesSeenBy(manager: LabNode): Promise<string> {
  const { body } = await ask(manager, '/v1/cluster/nodes');
  return body.items.map(({ name, state }: Record<string, string>) => `${name} ${state}`).join(', ');
}

/** Waits until a manager, which may just be starting, sees its nodes so; gives how many ms that took. */
export async function untilSeen(manager: LabNode, expected: string): Promise<number> {
  const from = performance.now();
  const what = `the states of nodes at ${manager.machine.name}`;
  await until(
    what,
    () => statesSeenBy(manager).catch((error: unknown) => String(error)),
    (seen) => seen === expected,
    labPatience,
  );
  return performance.now() - from;
}

/** Everything the fleet lists, asked of one manager. */
export interface LabList {
  /** `node:path`. */
  readonly pins: readonly string[];
  readonly complete: boolean;
  /** Reasons by name of the node. */
  readonly unreachable: Readonly<Record<string, string>>;
  readonly reason: string | undefined;
}

/** Asks for all pins of all nodes. */
export async function listAll(manager: LabNode, deadline = '2s'): Promise<LabList> {
  const { body } = await ask(manager, `/v1/cluster/pins?limit=1000&deadline=${deadline}`);
  const missing = body.unreachable.map(({ node, reason }: Record<string, string>) => [node, reason]);
  return {
    pins: body.items.map(({ node, path }: Record<string, string>) => `${node}:${path}`).sort(),
    complete: body.complete,
    unreachable: Object.fromEntries(missing),
    reason: body.reason,
  };
}

/** Pins a new map on a node's machine, with the machine's own bpftool. */
export function pinOn({ machine }: LabNode, name: string): void {
  const shape = ['type', 'hash', 'key', '4', 'value', '8', 'entries', '16', 'name', 'pf_lab'];
  machine.spaces.run('bpftool', 'map', 'create', `/sys/fs/bpf/${name}`, ...shape);
}

/** What a node itself lists, read anew. */
export async function ownPins(node: LabNode): Promise<readonly string[]> {
  const { body } = await ask(node, '/v1/pins?fresh=true&limit=1000');
  return body.items.map(({ path }: Record<string, string>) => path).sort();
}
