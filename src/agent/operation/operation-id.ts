import type { Clock } from '../../model/clock.ts';

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

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
  return () => {
    const nowMs = clock.now().getTime();
    if (nowMs > lastMs) {
      lastMs = nowMs;
      last = (BigInt(nowMs) << 80n) | BigInt(`0x${Buffer.from(randomBytes(10)).toString('hex')}`);
    } else last += 1n;
    return textOf(last);
  };
}

function textOf(id: bigint): string {
  const digits = id.toString(32).padStart(26, '0');
  return digits.replace(/./g, (digit) => alphabet[Number.parseInt(digit, 32)] ?? '');
}
