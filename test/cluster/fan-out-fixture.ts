import { createServer, type RequestListener, type Server } from 'node:http';
import { after } from 'node:test';
import { Fleet, type FleetQuestion } from '../../src/cluster/fleet.ts';
import { NodeDirectory } from '../../src/cluster/membership/nodes.ts';
import { NodeCaller } from '../../src/cluster/node-call.ts';
import { PinSets } from '../../src/cluster/pinset/manager/pin-sets.ts';
import { newClusterKey } from '../../src/cluster/signing/key-file.ts';
import type { Clock } from '../../src/model/clock.ts';
import { clusterKey, parseClusterName } from '../../src/model/cluster/key.ts';
import { limits } from '../../src/model/limits.ts';
import { createLog } from '../../src/model/log.ts';
import { realClock } from '../support/observed.ts';
import { openTestStore } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';

const log = createLog({ level: 'error', write: () => undefined, now: () => new Date() });
const caller = { actor: 'test', role: 'viewer' } as const;

/** A fleet over the local store, whose nodes are servers of the test's own. */
export async function fleetOf(
  nodes: Readonly<Record<string, RequestListener | string>>,
  clock: Clock = realClock,
) {
  const dir = tempDir('fan-out');
  const disk = openTestStore(dir.path, { clock: realClock });
  const store = disk.openCluster();
  const servers: Server[] = [];
  for (const [name, answer] of Object.entries(nodes)) {
    const address = typeof answer === 'string' ? answer : await serve(servers, answer);
    const member = {
      address,
      labels: { even: String(Number(name.replace(/\D/g, '')) % 2 === 0) },
      version: '1',
      boot_id: 'b',
      agent: name,
      sees_all_processes: true,
      started_at: new Date().toISOString(),
    };
    const key = clusterKey('nodes', parseClusterName(name), 'member');
    await store.txn({ conditions: [], changes: [{ put: key, value: JSON.stringify(member) }] });
  }
  const directory = new NodeDirectory({ store, clock, log });
  await directory.start();
  const asking = new NodeCaller({ manager: 'm', key: newClusterKey(), isKeyShared: true, clock: realClock });
  const name = parseClusterName('m', 'manager');
  const pinSets = new PinSets({ store, directory, name, clock: realClock, log });
  const fleet = new Fleet({ directory, caller: asking, pinSets, own: undefined });
  after(async () => {
    await directory.stop();
    await asking.close();
    await store.close();
    disk.close();
    for (const server of servers) server.closeAllConnections();
    for (const server of servers) server.close();
    dir[Symbol.dispose]();
  });
  return { fleet, store };
}

async function serve(servers: Server[], answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  return `http://127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`;
}

/** A node with so many pins, in pages or lines as the API gives them. */
export function nodeWith(count: number, onPage: (limit: number) => void = () => undefined): RequestListener {
  return (request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://x');
    const limit = Number(searchParams.get('limit'));
    const from = Number(searchParams.get('cursor') ?? 0);
    onPage(limit);
    const length = Math.max(0, Math.min(limit, count - from));
    const items = Array.from({ length }, (_, index) => ({ path: `p${from + index}` }));
    const next_cursor = from + length < count ? String(from + length) : null;
    if (request.headers.accept === 'application/x-ndjson') response.end(linesOf(items, next_cursor));
    else response.end(JSON.stringify({ items, next_cursor, observed_at: '', total: count }));
  };
}

/** Items as a node streams them. */
export function linesOf(items: readonly unknown[], next_cursor: string | null = null): string {
  const summary = { count: items.length, complete: next_cursor === null, next_cursor, observed_at: '' };
  return [...items, { summary }].map((line) => `${JSON.stringify(line)}\n`).join('');
}

/** Asks for all pins of all nodes, unless told otherwise. */
export function question(changed: Partial<FleetQuestion> = {}): FleetQuestion {
  const signal = new AbortController().signal;
  const query = new URLSearchParams();
  return {
    path: '/v1/pins',
    query,
    caller,
    deadlineMs: limits.nodeDeadlineMsMax,
    signal,
    selector: [],
    ...changed,
  };
}
