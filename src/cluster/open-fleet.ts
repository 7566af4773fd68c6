import type { Agent } from '../agent/agent.ts';
import type { Clock } from '../model/clock.ts';
import { parseClusterName } from '../model/cluster/key.ts';
import { type AgentConfig, ConfigError } from '../model/config.ts';
import { type Log, quieter } from '../model/log.ts';
import type { Role } from '../model/role.ts';
import type { MemberDocument } from '../model/schema/cluster.ts';
import { pause } from './backoff.ts';
import type { Fleet } from './fleet.ts';
import { digester } from './membership/digest.ts';
import { Registration } from './membership/registration.ts';
import { leaveMs, makeManager, type OwnCertificates, openEtcd } from './open-manager.ts';
import { NodePinSets } from './pinset/node/node-pinsets.ts';
import { PinSetReconciler } from './pinset/node/reconciler.ts';
import { ManagerGate } from './signing/gate.ts';
import { newClusterKey, readClusterKey } from './signing/key-file.ts';
import { SignatureVerifier } from './signing/verifier.ts';
import type { FleetTokens } from './tokens/fleet-tokens.ts';

/** What an agent's part in a fleet is made from. */
export interface FleetOptions {
  readonly config: AgentConfig;
  readonly agent: Agent;
  /** Where the agent listens for callers of this machine. */
  readonly socketPath: string;
  readonly certificates: OwnCertificates;
  readonly clock: Clock;
  readonly log: Log;
}

/** An agent's part in a fleet. */
export interface OpenFleet {
  /** Undefined for a node that is no manager. */
  readonly fleet: Fleet | undefined;
  /** The tokens of the fleet's callers; undefined with it. */
  readonly tokens: FleetTokens | undefined;
  /** The most a caller of the fleet may do at this node. */
  readonly roleMax: Role;
  /** Accepts what managers ask for their callers. */
  readonly gate: ManagerGate;
  /** The pin sets of this node. */
  readonly pinsets: NodePinSets;
  /** Joins, once it is known where this agent listens; goes on trying when the store is away. */
  join(addresses: readonly string[]): Promise<void>;
  /** Leaves. */
  stop(): Promise<void>;
}

/**
 * Opens an agent's part in a fleet. Without etcd the fleet is this machine: its store is the agent's own
 * database, its key is made for as long as this process lives, and the agent is its manager.
 *
 * @throws ConfigError, PinfoldError
 */
export async function openFleet(options: FleetOptions): Promise<OpenFleet> {
  const { config, clock, certificates, socketPath } = options;
  const { tls } = certificates;
  const { cluster } = config;
  const node = parseClusterName(config.node);
  const isAlone = cluster.etcd.length === 0;
  // Nobody who runs one agent asked for a fleet, and that it goes well is no news to them.
  const log = isAlone ? quieter(options.log) : options.log;
  const key = cluster.keyFile === undefined ? newClusterKey() : readClusterKey(cluster.keyFile);
  const store = isAlone ? options.agent.store.openCluster() : await openEtcd(cluster, certificates.etcd);
  const isKeyShared = cluster.keyFile !== undefined;
  const roleMax = isAlone ? 'admin' : cluster.roleMax;
  const signatures = new SignatureVerifier({ node, key, clock, roleMax });
  const manager =
    cluster.isManager || isAlone
      ? makeManager({ name: node, store, key, isKeyShared, tls, socketPath, clock, log })
      : undefined;
  let registration: Registration | undefined;
  const { labels } = config;
  const reconciler = new PinSetReconciler({ ...options, store, node, labels, roleMax });
  return {
    fleet: manager?.fleet,
    tokens: manager?.tokens,
    roleMax,
    gate: new ManagerGate({ signatures, isKeyShared, roleMax }),
    pinsets: new NodePinSets({
      ...options,
      labels,
      statuses: () => reconciler.statuses,
      trouble: () => (isAlone ? undefined : (registration?.trouble ?? reconciler.trouble)),
    }),
    join: async (addresses) => {
      const member = memberOf(options, addresses, isAlone);
      registration = new Registration({ store, node, member, digest: digester(options.agent), log });
      const registering = registration.start();
      if (isAlone) await registering;
      await Promise.all([registering, manager?.start(), reconciler.start()]);
    },
    stop: async () => {
      const left = Promise.all([registration?.stop(), manager?.stop(), reconciler.stop()]);
      // A store that is away must not keep an agent from ending.
      await Promise.race([left, pause(leaveMs, new AbortController().signal)]);
      await manager?.close();
      await store.close();
    },
  };
}

function memberOf(
  { config, agent }: FleetOptions,
  addresses: readonly string[],
  isAlone: boolean,
): MemberDocument {
  const { labels, version, boot_id, sees_all_processes, started_at } = agent.reads.node();
  const address = addressOf(config, addresses);
  if (address === undefined && !isAlone) {
    throw new ConfigError(
      'Managers must be able to call this agent: give --listen an address they reach, ' +
        'or say with --advertise HOST:PORT which one it is.',
    );
  }
  return {
    address: address ?? '',
    labels,
    version,
    boot_id,
    agent: agent.store.settings.get('agent_uuid') ?? '',
    sees_all_processes,
    started_at,
  };
}

/** Where managers call: what was said, else the address that is listened on, if it is one. */
function addressOf({ cluster, tls }: AgentConfig, addresses: readonly string[]): string | undefined {
  const scheme = tls === undefined ? 'http' : 'https';
  if (cluster.advertise !== undefined) {
    const { host, port } = cluster.advertise;
    return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
  }
  const listened = addresses.find((address) => address.startsWith('http'));
  return listened !== undefined && /\/\/(0\.0\.0\.0|\[::\]):/.test(listened) ? undefined : listened;
}
