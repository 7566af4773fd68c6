import { createLocalRoles, groupIdOf } from '../api/local-roles.ts';
import { StreamSlots } from '../api/ndjson.ts';
import { RememberedAnswers } from '../api/remembered-answers.ts';
import { socketGroup } from '../api/unix-socket.ts';
import type { Fleet } from '../cluster/fleet.ts';
import type { TlsTexts } from '../model/certificates.ts';
import type { Clock } from '../model/clock.ts';
import type { Log } from '../model/log.ts';
import type { ManagerConfig } from '../model/manager-config.ts';
import { processClock, readText, readVersion } from './process.ts';

/** What surrounds a manager's process; tests give their own. */
export interface ManagerSurroundings {
  readonly log: Log;
  /** Descriptors a service manager has opened for us. */
  readonly inheritedFds?: readonly number[];
  /** Time, if not the machine's. */
  readonly clock?: Clock;
}

/** A manager by itself that serves. */
export interface RunningManager {
  readonly fleet: Fleet;
  readonly addresses: readonly string[];
  /** Looks at once whether the files of certificates were replaced. */
  reload(): void;
  /** Stops accepting, finishes what runs, closes; done within limits.shutdownMs. */
  stop(): Promise<void>;
}

/** What only a manager needs; a command line that asks one does not wait for it. */
async function loadParts() {
  const [peers, manager, identity, metrics, server, listeners, pem] = await Promise.all([
    import('../kernel/proc/peer.ts'),
    import('../cluster/open-manager.ts'),
    import('../cluster/pki/own-identity.ts'),
    import('../metrics/metrics.ts'),
    import('../api/server.ts'),
    import('../api/serve.ts'),
    import('./certificates.ts'),
  ]);
  return { ...peers, ...manager, ...identity, ...metrics, ...server, ...listeners, ...pem };
}

/**
 * The object graph of a manager by itself: fleet, metrics, API, listeners. Of the kernel nothing is asked but
 * who is at the other end of the unix socket, so that no capability is needed.
 *
 * @throws PinfoldError, ConfigError and errors of the system; explainStartFailure makes sentences of them
 */
export async function startManager(
  config: ManagerConfig,
  { log, clock = processClock, inheritedFds = [] }: ManagerSurroundings,
): Promise<RunningManager> {
  const closers: (() => Promise<void> | void)[] = [];
  const stop = async (): Promise<void> => {
    for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close();
  };
  try {
    const parts = await loadParts();
    const { openManager, createManagerMetrics, createApi, serve, peerReader } = parts;
    const version = readVersion();
    const judge = (texts: TlsTexts): void => parts.assertManagerIdentity(config, texts);
    const certificates = parts.openCertificates(config, judge, { clock, log });
    closers.push(() => certificates[Symbol.dispose]());
    const { tls, look: reload } = certificates;
    const manager = await openManager({ config, certificates, clock, log });
    closers.push(async () => await manager.stop());
    const metrics = createManagerMetrics({ certificates: certificates.states, version });
    closers.push(() => metrics[Symbol.dispose]());
    const { fleet, tokens: fleetTokens, notReady } = manager;
    const { openMetrics } = config;
    const idempotency = new RememberedAnswers();
    const streams = new StreamSlots();
    const api = await createApi({
      parts: { metrics, clock, log, fleet, fleetTokens, notReady, idempotency, streams, openMetrics },
      peers: peerReader,
      fleetRoleMax: 'admin',
      localRoles: localRoles(config),
      version,
    });
    const isRoot = process.getuid?.() === 0;
    const groupId = isRoot ? groupIdOf(readText('/etc/group'), socketGroup) : undefined;
    const request = { api, config, socketName: 'manager.sock', tls, inheritedFds, groupId } as const;
    const serving = await serve({ ...request, peers: peerReader, onLimit: metrics.limitHit });
    closers.push(async () => await serving.close());
    await manager.start();
    return { fleet, addresses: serving.addresses, reload, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** On the unix socket whoever runs the manager is its admin, as root is. */
function localRoles({ users, groups }: ManagerConfig) {
  const own = process.getuid?.() ?? 0;
  return createLocalRoles({
    users: { ...users, [String(own)]: 'admin' },
    groups,
    passwd: readText('/etc/passwd'),
    group: readText('/etc/group'),
  });
}
