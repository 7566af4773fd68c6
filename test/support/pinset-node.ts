import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentOptions } from '../../src/agent/create-agent.ts';
import { NodePinSets } from '../../src/cluster/pinset/node/node-pinsets.ts';
import { PinSetReconciler } from '../../src/cluster/pinset/node/reconciler.ts';
import { clusterKey, parseClusterName } from '../../src/model/cluster/key.ts';
import { parseStatus } from '../../src/model/cluster/pinset/documents.ts';
import type { ClusterStore } from '../../src/model/cluster/store.ts';
import { createLog } from '../../src/model/log.ts';
import type { Role } from '../../src/model/role.ts';
import type {
  DesiredDocument,
  PinSet,
  PinSetStatus,
  RolloutDocument,
} from '../../src/model/schema/pinset.ts';
import { type Bpffs, mountBpffs } from './bpffs.ts';
import { realClock, startAgent, type TestAgent } from './observed.ts';
import { tempDir } from './temp-dir.ts';
import { until } from './until.ts';

/** A node with pin sets on the real kernel: its agent, its bpffs, and the store it hears. */
export interface PinSetNode extends AsyncDisposable {
  readonly at: TestAgent;
  readonly bpffs: Bpffs;
  readonly cluster: ClusterStore;
  readonly reconciler: PinSetReconciler;
  readonly own: NodePinSets;
  readonly logs: readonly string[];
  /** Absolute, of a path of the bpffs. */
  path(name: string): string;
  /** Writes what is desired, and that everybody may have it. */
  put(name: string, generation: number, spec: PinSet, more?: Partial<DesiredDocument>): Promise<void>;
  status(name: string): Promise<PinSetStatus | undefined>;
  /** Waits until the node says so of this generation or a newer one, and gives what it says. */
  untilState(name: string, generation: number, state: PinSetStatus['state']): Promise<PinSetStatus>;
  /** Ends the agent as SIGTERM does, and starts another with what it left. */
  restart(): Promise<PinSetNode>;
}

/** What a test sets. */
export interface PinSetNodeOptions {
  readonly cluster?: ClusterStore;
  readonly labels?: Readonly<Record<string, string>>;
  readonly agent?: Partial<AgentOptions>;
  /** The most the fleet may do; admin unless told. */
  readonly roleMax?: Role;
  readonly bpffs?: Bpffs;
  /** Where an agent before it has left its state. */
  readonly dir?: ReturnType<typeof tempDir>;
}

/** The name under which the node says what it came to. */
export const nodeName = parseClusterName('edge-1');
const patience = { timeoutMs: 60_000, everyMs: 50 };

/** Writes a wish and its rollout, done unless told, in one transaction. */
export async function putDesired(
  cluster: ClusterStore,
  name: string,
  document: Partial<DesiredDocument> & Pick<DesiredDocument, 'generation' | 'spec'>,
  rollout: Partial<RolloutDocument> = {},
): Promise<void> {
  const time = new Date().toISOString();
  const { generation } = document;
  const set = parseClusterName(name);
  const gate = { generation, state: 'done', open: [], started_at: time, time, ...rollout };
  const { succeeded } = await cluster.txn({
    conditions: [],
    changes: [
      { put: clusterKey('desired', set), value: JSON.stringify({ time, actor: 'test', ...document }) },
      { put: clusterKey('rollout', set), value: JSON.stringify(gate) },
    ],
  });
  if (!succeeded) throw new Error('a transaction without conditions failed');
}

/** Starts one, with the store of a machine by itself unless told. */
export async function pinSetNode(options: PinSetNodeOptions = {}): Promise<PinSetNode> {
  const bpffs = options.bpffs ?? mountBpffs();
  const dir = options.dir ?? tempDir('pinset');
  const stateDir = join(dir.path, 'state');
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const { labels = { role: 'edge' }, roleMax = 'admin' } = options;
  const at = await startAgent(bpffs.path, stateDir, options.agent);
  const cluster = options.cluster ?? at.store.openCluster();
  const logs: string[] = [];
  const log = createLog({ level: 'debug', write: (line) => logs.push(line), now: () => new Date() });
  const parts = { labels, agent: at.agent, clock: realClock };
  const reconciler = new PinSetReconciler({ ...parts, roleMax, store: cluster, node: nodeName, log });
  await reconciler.start();
  const end = async (): Promise<void> => {
    await reconciler.stop();
    if (options.cluster === undefined) await cluster.close();
    await at.stop();
  };
  const status = async (name: string): Promise<PinSetStatus | undefined> => {
    const { value } = await cluster.get(clusterKey('nodes', nodeName, 'status', parseClusterName(name)));
    return value === undefined ? undefined : parseStatus(value.value);
  };
  return {
    ...{ at, bpffs, cluster, reconciler, logs, status },
    own: new NodePinSets({
      ...parts,
      statuses: () => reconciler.statuses,
      trouble: () => reconciler.trouble,
    }),
    path: (name) => join(bpffs.path, name),
    put: async (name, generation, spec, more = {}) =>
      await putDesired(cluster, name, { generation, spec, ...more }),
    untilState: async (name, generation, state) => {
      const isSo = (seen: PinSetStatus | undefined) =>
        seen !== undefined && seen.generation >= generation && seen.state === state;
      const said = await until(`${name} to be ${state}`, () => status(name), isSo, patience);
      if (said === undefined) throw new Error('unreachable');
      return said;
    },
    restart: async () => {
      await end();
      return await pinSetNode({ ...options, bpffs, dir });
    },
    [Symbol.asyncDispose]: async () => {
      await end();
      bpffs[Symbol.dispose]();
      dir[Symbol.dispose]();
    },
  };
}
