import { readFileSync } from 'node:fs';
import type { Clock } from '../model/clock.ts';
import { type ClusterName, parseClusterName } from '../model/cluster/key.ts';
import type { ClusterSettings } from '../model/cluster/settings.ts';
import type { ClusterStore } from '../model/cluster/store.ts';
import { ConfigError } from '../model/config.ts';
import type { Log } from '../model/log.ts';
import type { ManagerConfig } from '../model/manager-config.ts';
import { pause } from './backoff.ts';
import { Fleet } from './fleet.ts';
import { NodeDirectory } from './membership/nodes.ts';
import { NodeCaller } from './node-call.ts';
import { PinSets } from './pinset/manager/pin-sets.ts';
import { assertOwnIdentity } from './pki/own-identity.ts';
import { newClusterKey, readClusterKey } from './signing/key-file.ts';
import { FleetTokens } from './tokens/fleet-tokens.ts';

/** How long a process that ends tries to say so to the others. */
export const leaveMs = 1000;

/** PEM texts of a process's own listener, which is also how it shows itself to others. */
export interface OwnTls {
  readonly cert: string;
  readonly key: string;
  readonly ca: string | undefined;
}

/** What a manager is made from, in an agent's process or in its own. */
export interface ManagerParts {
  readonly name: ClusterName;
  readonly store: ClusterStore;
  readonly key: Uint8Array;
  /** Whether nodes elsewhere have the key, too. */
  readonly isKeyShared: boolean;
  readonly tls: OwnTls | undefined;
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
  const tls = own?.ca === undefined ? undefined : { ca: own.ca, cert: own.cert, key: own.key };
  const known = { manager: name, key, isKeyShared };
  const caller = new NodeCaller({ ...known, clock, ...(tls === undefined ? {} : { tls }) });
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
  readonly tls: OwnTls | undefined;
  readonly clock: Clock;
  readonly log: Log;
}): Promise<OpenManager> {
  const { config, ...tools } = given;
  const { cluster } = config;
  const name = parseClusterName(config.name, 'manager');
  const key = cluster.keyFile === undefined ? newClusterKey() : readClusterKey(cluster.keyFile);
  const isKeyShared = cluster.keyFile !== undefined;
  if (given.tls?.ca !== undefined) assertOwnIdentity(given.tls.cert, { manager: name });
  const store = await openEtcd(cluster);
  const { fleet, tokens, start, stop, close } = makeManager({
    ...{ name, store, key, isKeyShared, socketPath: undefined },
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

/** etcd's client is loaded by those alone who use it. @throws ConfigError where a file cannot be read */
export async function openEtcd({ etcd, etcdTls }: ClusterSettings): Promise<ClusterStore> {
  const { openEtcdStore } = await import('./etcd/etcd-store.ts');
  const read = (file: string | undefined) => (file === undefined ? undefined : readText(file));
  const tls = { ca: read(etcdTls?.ca), cert: read(etcdTls?.cert), key: read(etcdTls?.key) };
  return openEtcdStore({ urls: etcd, tls });
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new ConfigError(`${file} cannot be read (${why}).`);
  }
}
