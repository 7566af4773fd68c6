import { existsSync } from 'node:fs';
import { type Address, parseAddress, showAddress } from '../client/address.ts';
import { ClientError, isOutOfReach } from '../client/client-error.ts';
import { openClient, type PinfoldClient, readData } from '../client/pinfold-client.ts';
import { escapeText } from '../model/escape.ts';
import { UsageError } from './exit.ts';
import { readText } from './read-text.ts';

/** Where an agent is looked for when nobody says: what `pinfold agent` uses when nobody says. */
export const defaultPlaces = {
  bpffs: '/sys/fs/bpf',
  stateDir: '/var/lib/pinfold',
  runDir: '/run/pinfold',
  tcp: '127.0.0.1:7463',
} as const;

/** The file name of the socket in the run directory, and of the first token in the state directory. */
export const fileNames = { socket: 'agent.sock', token: 'admin.token' } as const;

/** What decides whom we speak to. */
export interface ConnectOptions {
  /** As it was given; undefined tries the unix socket, then TCP on loopback. */
  readonly address: string | undefined;
  readonly tokenFile: string | undefined;
  /** The node of a fleet that is meant; undefined for the one that answers. */
  readonly node: string | undefined;
  readonly timeoutMs: number;
  readonly tlsCa: string | undefined;
  readonly clientCert: string | undefined;
  readonly clientKey: string | undefined;
}

/**
 * Opens a client. Where no address was given the unix socket is tried first; what may not be opened or is not
 * there leaves TCP with the token file, as `pinfold agent` makes it.
 *
 * @throws UsageError, ClientError unreachable, socket_denied
 */
export async function connect(options: ConnectOptions): Promise<PinfoldClient> {
  if (options.address !== undefined) {
    const address = parseAddress(options.address);
    if (address !== undefined) return openAt(address, options);
    const shown = escapeText(options.address);
    throw new UsageError(`${shown} is no address: give a socket's path, or http(s)://HOST:PORT.`);
  }
  const socketPath = `${defaultPlaces.runDir}/${fileNames.socket}`;
  const bySocket = openAt({ kind: 'unix', socketPath }, options);
  try {
    await readData(bySocket.api.GET('/v1/node'));
    return bySocket;
  } catch (error) {
    if (!isOutOfReach(error)) return bySocket;
    await bySocket.close();
    return await openDefaultTcp(options, error);
  }
}

async function openDefaultTcp(options: ConnectOptions, socketError: ClientError): Promise<PinfoldClient> {
  const tokenFile = options.tokenFile ?? `${defaultPlaces.stateDir}/${fileNames.token}`;
  const address = parseAddress(defaultPlaces.tcp);
  if (address === undefined || !existsSync(tokenFile)) throw socketError;
  const byTcp = openAt(address, { ...options, tokenFile });
  try {
    await readData(byTcp.api.GET('/v1/node'));
    return byTcp;
  } catch (error) {
    if (!isOutOfReach(error)) return byTcp;
    await byTcp.close();
    if (socketError.code === 'socket_denied') throw socketError;
    throw new ClientError('unreachable', `${socketError.message} ${error.message}`, error);
  }
}

function openAt(address: Address, options: ConnectOptions): PinfoldClient {
  const { tokenFile, timeoutMs } = options;
  if (
    tokenFile !== undefined &&
    address.kind === 'url' &&
    !address.isLoopback &&
    address.url.startsWith('http:')
  ) {
    throw new UsageError(`A token is not sent to ${showAddress(address)} unencrypted: use https.`);
  }
  const token = tokenFile === undefined ? {} : { token: readText(tokenFile).trim() };
  const tls = {
    ...(options.tlsCa === undefined ? {} : { ca: readText(options.tlsCa) }),
    ...(options.clientCert === undefined ? {} : { cert: readText(options.clientCert) }),
    ...(options.clientKey === undefined ? {} : { key: readText(options.clientKey) }),
  };
  const { node } = options;
  const base = node === undefined ? {} : { basePath: `/v1/cluster/nodes/${encodeURIComponent(node)}/api` };
  return openClient({ address, timeoutMs, tls, ...base, ...(address.kind === 'unix' ? {} : token) });
}
