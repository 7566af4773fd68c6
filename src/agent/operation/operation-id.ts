import type { Clock } from '../../model/clock.ts';

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

const randomBytesAnId = 10;

/** Ids for which random bytes are drawn at once: a draw costs the same whatever its size. */
const idsADraw = 64;

/**
 * Makes operation ids: 48 bits of milliseconds and 80 random bits in Crockford's base 32 (the ULID layout),
 * 26 characters.
 *
 * Ids of one maker ascend as text: within one millisecond, and where the clock goes back, the last one is
 * counted up.
 */
export function operationIds(clock: Clock, randomBytes: (size: number) => Uint8Array): () => string {
  let last = 0n;
  let lastMs = 0;
  let drawn = '';
  const random = (): bigint => {
    if (drawn === '') drawn = Buffer.from(randomBytes(randomBytesAnId * idsADraw)).toString('hex');
    const digits = drawn.slice(0, 2 * randomBytesAnId);
    drawn = drawn.slice(2 * randomBytesAnId);
    return BigInt(`0x${digits}`);
  };
  return () => {
    const nowMs = clock.now().getTime();
    if (nowMs > lastMs) {
      lastMs = nowMs;
      last = (BigInt(nowMs) << 80n) | random();
    } else last += 1n;
    return textOf(last);
  };
}

function textOf(id: bigint): string {
  let text = '';
  for (const digit of id.toString(32).padStart(26, '0')) text += alphabet[Number.parseInt(digit, 32)] ?? '';
  return text;
}
