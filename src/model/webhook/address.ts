/** An IP address as the number its 32 or 128 bits are. */
export interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** All addresses whose first `bits` bits are those of `value`. */
export interface AddressRange extends Address {
  readonly bits: number;
}

const widths = { 4: 32n, 6: 128n } as const;

/**
 * Reads an address in the forms that resolvers and the URL parser give: four decimal numbers, or RFC 4291
 * text. Undefined for everything else, such as the octal and shortened forms of inet_aton(3) and zones.
 */
export function parseAddress(text: string): Address | undefined {
  const value = text.includes(':') ? valueOfSix(text) : valueOfFour(text);
  return value === undefined ? undefined : { family: text.includes(':') ? 6 : 4, value };
}

/** Reads `10.0.0.0/8`, or one address; undefined where it is neither, or has bits set after the length. */
export function parseRange(text: string): AddressRange | undefined {
  const [, host = '', length] = /^([^/]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? [];
  const address = parseAddress(host);
  if (address === undefined) return undefined;
  const width = widths[address.family];
  const bits = length === undefined ? Number(width) : Number(length);
  if (bits > Number(width)) return undefined;
  const isStart = (address.value & ((1n << (width - BigInt(bits))) - 1n)) === 0n;
  return isStart ? { ...address, bits } : undefined;
}

/** Tells whether an address is in a range; one family is never in the other. */
export function isInRange(address: Address, range: AddressRange): boolean {
  if (address.family !== range.family) return false;
  const shift = widths[range.family] - BigInt(range.bits);
  return address.value >> shift === range.value >> shift;
}

function valueOfFour(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256))
    return undefined;
  return parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function valueOfSix(text: string): bigint | undefined {
  const halves = text.split('::').map(groupsOf);
  const [head, tail] = halves;
  if (halves.length > 2 || head === undefined || halves.includes(undefined)) return undefined;
  if (tail === undefined) return halves.length === 1 && head.length === 8 ? joined(head) : undefined;
  const missing = 8 - head.length - tail.length;
  if (missing < 1) return undefined;
  return joined([...head, ...Array.from({ length: missing }, () => 0n), ...tail]);
}

/** The groups of 16 bits in one half of an address; its end may be written as an IPv4 address. */
function groupsOf(half: string): readonly bigint[] | undefined {
  if (half === '') return [];
  const words = half.split(':');
  const four = half.includes('.') ? valueOfFour(words.pop() ?? '') : undefined;
  if (half.includes('.') && four === undefined) return undefined;
  if (!words.every((word) => /^[0-9a-f]{1,4}$/i.test(word))) return undefined;
  const groups = words.map((word) => BigInt(`0x${word}`));
  return four === undefined ? groups : [...groups, four >> 16n, four & 0xffffn];
}

function joined(groups: readonly bigint[]): bigint {
  return groups.reduce((value, group) => (value << 16n) | group, 0n);
}
