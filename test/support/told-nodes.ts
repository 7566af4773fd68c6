import { Mirror } from '../../src/cluster/mirror.ts';
import { clusterKey, clusterPrefix, namesOfKey, parseClusterName } from '../../src/model/cluster/key.ts';
import { parseDesired, parseRollout } from '../../src/model/cluster/pinset/documents.ts';
import { mayApply } from '../../src/model/cluster/pinset/gate.ts';
import type { ClusterStore } from '../../src/model/cluster/store.ts';
import { createLog } from '../../src/model/log.ts';
import type { DesiredDocument, PinSetStatus, RolloutDocument } from '../../src/model/schema/pinset.ts';
import { realClock } from './observed.ts';

const log = createLog({ level: 'error', write: () => undefined, now: () => new Date() });

/** Nodes that do as they are told by the store, and take their time; how many change at once is counted. */
export interface ToldNodes {
  /** What each has applied of the pin set. */
  readonly applied: ReadonlyMap<string, number>;
  /** The most that changed at one moment, by generation. */
  readonly most: ReadonlyMap<number, number>;
  /** In which order nodes began, as `a@3`. */
  readonly begun: readonly string[];
  /** A node that would never finish a generation: it says `failed`. */
  readonly failing: Set<string>;
  stop(): Promise<void>;
}

/**
 * Puts nodes into the store and has them keep to one pin set, each by the gate that real nodes have. The
 * kernel has no part in it: this is for what managers do.
 */
export async function toldNodes(
  store: ClusterStore,
  names: readonly string[],
  { set, changeMs }: { readonly set: string; readonly changeMs: number },
): Promise<ToldNodes> {
  const applied = new Map(names.map((name) => [name, 0]));
  const [most, begun, failing] = [new Map<number, number>(), [] as string[], new Set<string>()];
  const changing = new Set<string>();
  const stopping = new AbortController();
  const setName = parseClusterName(set, 'pin set');
  const put = async (node: string, what: 'member' | 'status', document: object): Promise<void> => {
    const rest = what === 'status' ? [setName] : [];
    const key = clusterKey('nodes', parseClusterName(node), what, ...rest);
    await store.txn({ conditions: [], changes: [{ put: key, value: JSON.stringify(document) }] });
  };
  const change = async (node: string, { generation }: DesiredDocument): Promise<void> => {
    changing.add(node);
    begun.push(`${node}@${generation}`);
    applied.set(node, generation);
    most.set(generation, Math.max(most.get(generation) ?? 0, changing.size));
    await new Promise((resolve) => setTimeout(resolve, changeMs));
    // It is over before anybody can know: whoever is opened because of this does not change beside it.
    changing.delete(node);
    const state = failing.has(node) ? 'failed' : 'ok';
    const time = new Date().toISOString();
    const status: PinSetStatus = { generation, seen: generation, state, drifts: [], time };
    if (!stopping.signal.aborted) await put(node, 'status', status);
  };
  const documents: { desired?: DesiredDocument | undefined; rollout?: RolloutDocument | undefined } = {};
  const look = (): void => {
    for (const node of names) {
      if (changing.has(node) || stopping.signal.aborted) continue;
      const { desired, rollout } = documents;
      const gate = mayApply(desired, rollout, parseClusterName(node), applied.get(node) ?? 0);
      if (gate.may) void change(node, gate.desired).then(look, () => undefined);
    }
  };
  const mirrorOf = (first: 'desired' | 'rollout', take: (text: string | undefined) => void): Mirror => {
    const mirror: Mirror = new Mirror({
      ...{ store, clock: realClock, log, prefix: clusterPrefix(first) },
      onChange: (keys) => {
        for (const key of keys) if (namesOfKey(key)?.[1] === set) take(mirror.entries.get(key)?.value);
        look();
      },
    });
    return mirror;
  };
  const mirrors = [
    mirrorOf('desired', (text) => {
      documents.desired = text === undefined ? undefined : parseDesired(text);
    }),
    mirrorOf('rollout', (text) => {
      documents.rollout = text === undefined ? undefined : parseRollout(text);
    }),
  ];
  for (const name of names) await put(name, 'member', memberOf(name));
  for (const mirror of mirrors) await mirror.start();
  return {
    ...{ applied, most, begun, failing },
    stop: async () => {
      stopping.abort();
      await Promise.all(mirrors.map((mirror) => mirror.stop()));
    },
  };
}

function memberOf(name: string): object {
  return {
    address: 'http://127.0.0.1:1',
    labels: { role: 'edge' },
    version: '1',
    boot_id: 'b',
    agent: name,
    sees_all_processes: true,
    started_at: new Date().toISOString(),
  };
}
