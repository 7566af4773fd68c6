import type { ItemOf, ListPath } from './list.ts';
import { getList, queryText } from './list.ts';
import { readNdjson } from './ndjson.ts';
import { type ListPage, readPages } from './pages.ts';
import type { Transport } from './transport.ts';

/** A node that did not answer, and why. */
export interface SilentNode {
  /** Empty where it is the manager that may not know all nodes. */
  readonly node: string;
  readonly reason: string;
}

/** Which nodes of a fleet a list is asked of, and who wants to know what it is short of. */
export interface FleetChoice {
  readonly selector: string | undefined;
  readonly nodes: readonly string[] | undefined;
  /** Called for each node that did not answer. */
  readonly onSilent: (node: SilentNode) => void;
}

/** The lists of a node that a manager gives of all nodes, with `node` on each item. */
const fleetPaths: Readonly<Record<string, ListPath>> = {
  '/v1/pins': '/v1/cluster/pins',
  '/v1/objects': '/v1/cluster/objects',
  '/v1/maps': '/v1/cluster/maps',
  '/v1/programs': '/v1/cluster/programs',
  '/v1/links': '/v1/cluster/links',
  '/v1/findings': '/v1/cluster/findings',
};

/** The fleet's list that belongs to one of a node's; undefined where a manager has none. */
export function fleetPathOf(path: string): ListPath | undefined {
  return fleetPaths[path];
}

/**
 * A list of many nodes: as they answer where no limit is given, otherwise by node.
 *
 * @throws ClientError what the manager refused, or cut_short
 */
export async function* readFleetList<Path extends ListPath>(
  transport: Transport,
  path: ListPath,
  options: {
    readonly filters: Readonly<Record<string, unknown>>;
    readonly itemsMax?: number | undefined;
    readonly choice: FleetChoice;
  },
): AsyncGenerator<ItemOf<Path>, void, undefined> {
  const { filters, itemsMax, choice } = options;
  const { selector, nodes, onSilent } = choice;
  const query = { ...filters, selector, node: nodes };
  if (itemsMax === undefined) {
    const response = await getList(transport, `${path}${queryText(query)}`, 'application/x-ndjson');
    const summary = yield* readNdjson<ItemOf<Path>>(response.body ?? new ReadableStream<Uint8Array>());
    silentOf(summary).forEach(onSilent);
    return;
  }
  yield* readPages(async (slice) => {
    const target = `${path}${queryText({ ...query, ...slice })}`;
    const page: unknown = await (await getList(transport, target, 'application/json')).json();
    silentOf(page).forEach(onSilent);
    return page as ListPage<ItemOf<Path>>;
  }, itemsMax);
}

function silentOf(document: unknown): readonly SilentNode[] {
  if (typeof document !== 'object' || document === null || !('unreachable' in document)) return [];
  const nodes: readonly SilentNode[] = Array.isArray(document.unreachable) ? document.unreachable : [];
  const reason = 'reason' in document ? [{ node: '', reason: String(document.reason) }] : [];
  return [...nodes, ...reason];
}
