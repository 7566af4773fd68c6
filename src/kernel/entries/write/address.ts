import { isIPv4, isIPv6 } from 'node:net';
import { PinfoldError } from '../../../model/error.ts';

/** An IPv4 address in network order: `10.0.0.1`. */
export function ipv4Text(bytes: Buffer, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

/** An IPv6 address in network order, as RFC 5952 wants it written. */
export function ipv6Text(bytes: Buffer, at: number): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(at + 2 * index));
  const zeros = longestZeros(groups);
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  if (zeros.length < 2) return hex(groups);
  return `${hex(groups.slice(0, zeros.start))}::${hex(groups.slice(zeros.start + zeros.length))}`;
}

function longestZeros(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let index = 0; index <= groups.length; index++) {
    if (groups[index] === 0) continue;
    if (index - start > best.length) best = { start, length: index - start };
    start = index + 1;
  }
  return best;
}

/** The bytes of an address of this family. @throws PinfoldError invalid_input */
export function parseAddress(text: string, family: 4 | 6): Buffer {
  if (family === 4 && isIPv4(text)) return Buffer.from(text.split('.').map(Number));
  if (family === 6 && isIPv6(text) && !text.includes('%')) return parseIpv6(text);
  throw new PinfoldError('invalid_input', { detail: `An IPv${family} address is wanted.` });
}

function parseIpv6(text: string): Buffer {
  const dotted = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  const [a = 0, b = 0, c = 0, d = 0] = dotted?.slice(1).map(Number) ?? [];
  const tail = `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  const plain = dotted === null ? text : text.slice(0, dotted.index) + tail;
  const [head = '', rest] = plain.split('::');
  const groups = (part: string): string[] => part.split(':').filter((group) => group !== '');
  const before = groups(head);
  const after = groups(rest ?? '');
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  const bytes = Buffer.alloc(16);
  for (const [index, group] of [...before, ...zeros, ...after].entries()) {
    bytes.writeUInt16BE(Number.parseInt(group, 16), 2 * index);
  }
  return bytes;
}
