import { join } from 'node:path';
import type { TlsTexts } from '../model/certificates.ts';
import type { AgentConfig } from '../model/config.ts';
import { PinfoldError } from '../model/error.ts';
import { limits } from '../model/limits.ts';
import type { PeerReader } from '../model/peer.ts';
import type { Renewable } from '../model/renewable.ts';
import { type Listener, listen } from './listener.ts';
import type { Api } from './server.ts';
import { openToGroup, prepareRunDir, removeDeadSocket } from './unix-socket.ts';

/** Everything that listens. */
export interface Serving {
  readonly addresses: readonly string[];
  /** Refuses what is new, finishes what runs, and is done within the limit for shutting down. */
  close(): Promise<void>;
}

/** What listeners are opened from. */
export interface ServeRequest {
  readonly api: Api;
  readonly config: Pick<AgentConfig, 'listen' | 'cluster' | 'allowHosts' | 'runDir'>;
  /** The name of the unix socket in the run directory. */
  readonly socketName: 'agent.sock' | 'manager.sock';
  readonly tls: Renewable<TlsTexts> | undefined;
  /**
   * Descriptors that a service manager has opened already (sd_listen_fds(3)); they take the place of our
   * own.
   */
  readonly inheritedFds: readonly number[];
  readonly peers: PeerReader;
  /** The number of the group that may reach the socket. */
  readonly groupId: number | undefined;
  readonly onLimit: (limit: string) => void;
}

const loopback = /^(localhost|127(\.\d{1,3}){3}|::1)$/;

/** What is kept of the shutdown's time for settling and closing files, after the listeners are closed. */
const closingReserveMs = 1500;

/**
 * Opens the listeners of a configuration; if one fails, those before it are closed again.
 *
 * @throws PinfoldError forbidden where an address would be reachable from elsewhere without TLS; conflict;
 * and the errors of listen(2)
 */
export async function serve(request: ServeRequest): Promise<Serving> {
  const { api } = request;
  const open: Listener[] = [];
  const close = async (): Promise<void> => {
    api.stopServing();
    await Promise.all(open.map((listener) => listener.close(limits.shutdownMs - closingReserveMs)));
    await api.app.close();
  };
  try {
    if (request.inheritedFds.length > 0) await openInherited(request, open);
    else await openOwn(request, open);
  } catch (error) {
    await close();
    throw error;
  }
  return { addresses: open.map((listener) => listener.address), close };
}

/** The same rules as for our own: TLS where there is a certificate, and nothing without beyond loopback. */
async function openInherited(request: ServeRequest, open: Listener[]): Promise<void> {
  const { api, tls, onLimit, inheritedFds, peers } = request;
  const allowHosts = allowedHosts(request);
  for (const fd of inheritedFds) {
    const ofSocket = peers.isUnix(fd) ? undefined : tls;
    const listener = await listen({ api, at: { fd }, tls: ofSocket, allowHosts, onLimit });
    open.push(listener);
    if (listener.host !== undefined) assertReachable(listener.host, request);
  }
}

async function openOwn(request: ServeRequest, open: Listener[]): Promise<void> {
  const { api, config, tls, groupId, socketName, onLimit } = request;
  const { listen: address } = config;
  const allowHosts = allowedHosts(request);
  if (address !== undefined) assertReachable(address.host, request);
  const socket = join(config.runDir, socketName);
  prepareRunDir(config.runDir, groupId);
  await removeDeadSocket(socket);
  open.push(await listen({ api, at: { path: socket }, allowHosts, onLimit }));
  openToGroup(socket, groupId);
  if (address !== undefined) open.push(await listen({ api, at: { ...address }, tls, allowHosts, onLimit }));
}

/** @throws PinfoldError forbidden for an address that others reach, where nothing hides what is said there */
function assertReachable(host: string, { tls, config }: ServeRequest): void {
  if (tls !== undefined || config.cluster.keyFile !== undefined || loopback.test(host)) return;
  throw new PinfoldError('forbidden', {
    detail:
      `${host} is not a loopback address: give --tls-cert and --tls-key, or the --cluster-key ` +
      'of a fleet on a network you trust, or use 127.0.0.1.',
  });
}

function allowedHosts({ config: { allowHosts, cluster } }: ServeRequest): readonly string[] {
  return cluster.advertise === undefined ? allowHosts : [...allowHosts, cluster.advertise.host];
}
