import type { Clock } from '../../model/clock.ts';

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/**
 * Makes operation ids: 48 bits of milliseconds and 80 random bits in Crockford's base 32 (the ULID layout), 26 characters.
 *
 * Ids of one maker ascend as text, also where the clock stands still or goes back: then the last one is counted up.
 */
export function operationIds(clock: Clock, randomBytes: (size: number) => Uint8Array): () => string {
  let last = 0n;
  return () => {
    const random = randomBytes(10).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    const fresh = (BigInt(clock.now().getTime()) << 80n) | random;
    last = fresh > last ? fresh : last + 1n;
    return textOf(last);
  };
}

function textOf(id: bigint): string {
  let text = '';
  for (let rest = id, at = 0; at < 26; at++, rest >>= 5n) text = (alphabet[Number(rest & 31n)] ?? '') + text;
  return text;
}
