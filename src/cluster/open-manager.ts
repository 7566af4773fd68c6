import type { EtcdTexts, TlsTexts } from '../model/certificates.ts';
import type { Clock } from '../model/clock.ts';
import { type ClusterName, namesOfKey, parseClusterName } from '../model/cluster/key.ts';
import type { ClusterSettings } from '../model/cluster/settings.ts';
import type { ClusterStore } from '../model/cluster/store.ts';
import type { Log } from '../model/log.ts';
import type { ManagerConfig } from '../model/manager-config.ts';
import type { Renewable } from '../model/renewable.ts';
import { pause } from './backoff.ts';
import { Fleet } from './fleet.ts';
import { NodeDirectory } from './membership/nodes.ts';
import { NodeCaller } from './node-call.ts';
import { PinSets } from './pinset/manager/pin-sets.ts';
import { newClusterKey, readClusterKey } from './signing/key-file.ts';
import { FleetTokens } from './tokens/fleet-tokens.ts';

/** How long a process that ends tries to say so to the others. */
export const leaveMs = 1000;

/** How a process shows itself: at its own listener and to nodes, and to etcd. */
export interface OwnCertificates {
  readonly tls: Renewable<TlsTexts> | undefined;
  /** Undefined where etcd is spoken to without TLS. */
  readonly etcd: Renewable<EtcdTexts> | undefined;
}

/** What a manager is made from, in an agent's process or in its own. */
export interface ManagerParts {
  readonly name: ClusterName;
  readonly store: ClusterStore;
  readonly key: Uint8Array;
  /** Whether nodes elsewhere have the key, too. */
  readonly isKeyShared: boolean;
  readonly tls: Renewable<TlsTexts> | undefined;
  /** The unix socket of the agent of this process; undefined for a manager by itself. */
  readonly socketPath: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** A manager: the fleet as the API sees it, and what keeps it known. */
export interface Manager {
  readonly fleet: Fleet;
  /** The tokens of the fleet's callers. */
  readonly tokens: FleetTokens;
  /** Begins to read the store; resolves after the first list, or the first failure to make one. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Lets go of connections to nodes. */
  close(): Promise<void>;
}

/** Makes a manager over a store that is open; nothing is asked before `start`. */
export function makeManager(parts: ManagerParts): Manager {
  const { name, store, key, isKeyShared, tls: own, socketPath, clock, log } = parts;
  const directory = new NodeDirectory({ store, clock, log });
  const tls = own?.now.ca === undefined ? undefined : own;
  const known = { manager: name, key, isKeyShared };
  const caller = new NodeCaller({ ...known, clock, ...(tls === undefined ? {} : { tls }) });
  // Names come and go with machines: what is kept for one that was forgotten would stay for ever.
  directory.follow((keys) => {
    for (const name of keys.flatMap((each) => namesOfKey(each)?.[1] ?? []))
      if (!directory.has(name)) void caller.forget(name);
  });
  const self = socketPath === undefined ? undefined : { name, socketPath };
  const pinSets = new PinSets({ store, directory, name, clock, log });
  const tokens = new FleetTokens({ store, clock, log });
  return {
    tokens,
    fleet: new Fleet({ directory, caller, pinSets, own: self }),
    start: async () => void (await Promise.all([directory.start(), tokens.start(), pinSets.start()])),
    stop: async () => void (await Promise.all([directory.stop(), tokens.stop(), pinSets.stop()])),
    close: async () => await caller.close(),
  };
}

/** A manager by itself, on etcd. */
export interface OpenManager extends Pick<Manager, 'fleet' | 'tokens' | 'start' | 'stop'> {
  /** Why what it answers would not be complete; undefined once the store was read. */
  notReady(): string | undefined;
}

/**
 * Opens a manager that is no node: it keeps nothing but what is in etcd, and any number may run.
 *
 * @throws ConfigError, PinfoldError
 */
export async function openManager(given: {
  readonly config: ManagerConfig;
  readonly certificates: OwnCertificates;
  readonly clock: Clock;
  readonly log: Log;
}): Promise<OpenManager> {
  const { config, certificates, ...tools } = given;
  const { cluster } = config;
  const name = parseClusterName(config.name, 'manager');
  const key = cluster.keyFile === undefined ? newClusterKey() : readClusterKey(cluster.keyFile);
  const isKeyShared = cluster.keyFile !== undefined;
  const store = await openEtcd(cluster, certificates.etcd);
  const { fleet, tokens, start, stop, close } = makeManager({
    ...{ name, store, key, isKeyShared, tls: certificates.tls, socketPath: undefined },
    ...tools,
  });
  let hasRead = false;
  return {
    fleet,
    tokens,
    start,
    notReady: () => {
      hasRead ||= fleet.trouble === undefined;
      return hasRead ? undefined : `The cluster store has not been read: ${fleet.trouble ?? ''}`;
    },
    stop: async () => {
      // A store that is away must not keep a manager from ending.
      await Promise.race([stop(), pause(leaveMs, new AbortController().signal)]);
      await close();
      await store.close();
    },
  };
}

/** etcd's client is loaded by those alone who use it. */
export async function openEtcd(
  { etcd: urls }: ClusterSettings,
  certificates: Renewable<EtcdTexts> | undefined,
): Promise<ClusterStore> {
  const { openEtcdStore } = await import('./etcd/etcd-store.ts');
  const none = { ca: undefined, cert: undefined, key: undefined };
  const store = openEtcdStore({ urls, tls: certificates?.now ?? none });
  certificates?.follow((tls) => store.renew(tls));
  return store;
}
