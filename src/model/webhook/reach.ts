import { type AddressRange, isInRange, parseAddress, parseRange } from './address.ts';

/**
 * IPv4 that is not for everybody, and IPv6 inside 2000::/3 that is not: IANA's special-purpose registries
 * (RFC 6890 and what came after), multicast, and the ways to write an IPv4 address inside an IPv6 one.
 */
const special: readonly (readonly [string, string])[] = [
  ['0.0.0.0/8', 'of this network'],
  ['10.0.0.0/8', 'private'],
  ['100.64.0.0/10', "of a carrier's NAT"],
  ['127.0.0.0/8', 'of this machine'],
  ['169.254.0.0/16', 'link-local'],
  ['172.16.0.0/12', 'private'],
  ['192.0.0.0/24', 'for protocols'],
  ['192.0.2.0/24', 'for documentation'],
  ['192.88.99.0/24', 'for relays of 6to4'],
  ['192.168.0.0/16', 'private'],
  ['198.18.0.0/15', 'for benchmarks'],
  ['198.51.100.0/24', 'for documentation'],
  ['203.0.113.0/24', 'for documentation'],
  ['224.0.0.0/4', 'multicast'],
  ['240.0.0.0/4', 'reserved'],
  ['2001::/23', 'for protocols, Teredo among them'],
  ['2001:db8::/32', 'for documentation'],
  ['2002::/16', 'IPv4 inside IPv6 (6to4)'],
  ['3fff::/20', 'for documentation'],
];

/** What lies outside 2000::/3 is refused whatever it is; these have a name of their own for the sentence. */
const named: readonly (readonly [string, string])[] = [
  ['::1/128', 'of this machine'],
  ['::ffff:0:0/96', 'IPv4 inside IPv6'],
  ['64:ff9b::/96', 'IPv4 inside IPv6 (NAT64)'],
  ['64:ff9b:1::/48', 'IPv4 inside IPv6 (NAT64)'],
  ['fc00::/7', 'private'],
  ['fe80::/10', 'link-local'],
  ['ff00::/8', 'multicast'],
];

const refused = [...special, ...named].map(([text, what]) => ({ range: rangeOf(text), what }));
const everybody = [rangeOf('0.0.0.0/0'), rangeOf('2000::/3')];

/**
 * Why nothing may be sent to an address, in words that follow "is"; undefined where it may.
 *
 * Only addresses that everybody can route to are free; any other must be in a range that the configuration
 * allows. Unencrypted HTTP is for allowed ranges only.
 */
export function whyOutOfReach(
  text: string,
  { isEncrypted, allowed }: { readonly isEncrypted: boolean; readonly allowed: readonly AddressRange[] },
): string | undefined {
  const address = parseAddress(text);
  if (address === undefined) return 'not an IP address';
  if (allowed.some((range) => isInRange(address, range))) return undefined;
  const found = refused.find(({ range }) => isInRange(address, range));
  if (found !== undefined) return found.what;
  if (!everybody.some((range) => isInRange(address, range))) return 'reserved';
  return isEncrypted ? undefined : 'only to be reached with https';
}

function rangeOf(text: string): AddressRange {
  const range = parseRange(text);
  if (range === undefined) throw new RangeError(`${text} is not a range of addresses`);
  return range;
}
