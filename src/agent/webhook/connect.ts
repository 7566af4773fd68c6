import { lookup } from 'node:dns/promises';
import { buildConnector } from 'undici';
import { limits } from '../../model/limits.ts';
import { type AddressRange, parseAddress } from '../../model/webhook/address.ts';
import { whyOutOfReach } from '../../model/webhook/reach.ts';
import type { Target } from '../../model/webhook/target.ts';
import type { Slots } from './slots.ts';

/** All addresses of a name, as texts. @throws errors of the system */
export type Resolve = (host: string) => Promise<readonly string[]>;

/** What decides where connections may lead. */
export interface Reach {
  readonly resolve: Resolve;
  readonly allowed: readonly AddressRange[];
  /** PEM certificates that receivers may be signed by, besides the usual ones. */
  readonly ca: readonly string[] | undefined;
  readonly lookups: Slots;
}

/** No connection was opened, because it would have led where none may lead. */
export class OutOfReach extends Error {
  override readonly name = 'OutOfReach';
}

/** The system's resolver: hosts file, DNS and what else it is set up with. */
export const systemResolve: Resolve = async (host) =>
  (await lookup(host, { all: true })).map(({ address }) => address);

/**
 * Opens connections for undici: resolves the name, judges all its addresses, and connects to one of those
 * very addresses, so that no second look at the name can lead elsewhere. The certificate is still asked for
 * by name. One address that is out of reach refuses the name: it is not for us to pick around it.
 *
 * @throws (by its callback) OutOfReach, errors of the system and of TLS
 */
export function guardedConnector(
  target: Target,
  reach: Reach,
  isWanted: () => boolean,
): buildConnector.connector {
  const { ca } = reach;
  const connect = buildConnector({
    timeout: limits.webhookTimeoutMs,
    allowH2: false,
    rejectUnauthorized: true,
    ...(ca === undefined ? {} : { ca: [...ca] }),
  });
  let turn = 0;
  return (options, callback) => {
    addressesOf(target, reach).then(
      (addresses) => {
        const hostname = addresses[turn++ % addresses.length];
        if (hostname === undefined || !isWanted()) callback(new OutOfReach('nobody waits for it'), null);
        else connect({ ...options, hostname }, callback);
      },
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), null),
    );
  };
}

/** Every address of the receiver, each allowed. @throws OutOfReach, errors of the resolver */
async function addressesOf(
  { host, isEncrypted }: Target,
  { resolve, allowed, lookups }: Reach,
): Promise<readonly string[]> {
  const isLiteral = parseAddress(host) !== undefined;
  const addresses = isLiteral ? [host] : await lookups.run(() => resolve(host));
  if (addresses.length === 0) throw new OutOfReach(`${host} has no address`);
  for (const address of addresses) {
    const why = whyOutOfReach(address, { isEncrypted, allowed });
    if (why !== undefined) throw new OutOfReach(`${address} is ${why}; nothing was sent there`);
  }
  return addresses;
}
