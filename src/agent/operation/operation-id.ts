import type { Clock } from '../../model/clock.ts';

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** Two digits at a time. */
const pairs = [...alphabet].flatMap((one) => [...alphabet].map((other) => one + other));

/** The random part is two numbers of so many bytes each, and each is so many digits: doubles hold them. */
const [halfBytes, halfDigits] = [5, 8] as const;
const halfEnd = 32 ** halfDigits;

const timeDigits = 10;

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
  let [timeMs, high, low] = [0, 0, 0];
  let timeText = '';
  let drawn = Buffer.alloc(0);
  const random = (): number => {
    if (drawn.length === 0) drawn = Buffer.from(randomBytes(2 * halfBytes * idsADraw));
    const half = drawn.readUIntBE(0, halfBytes);
    drawn = drawn.subarray(halfBytes);
    return half;
  };
  const begin = (ms: number): void => {
    timeMs = ms;
    timeText = textOf(ms, timeDigits);
  };
  const countUp = (): void => {
    low = (low + 1) % halfEnd;
    if (low === 0) high = (high + 1) % halfEnd;
    if (low === 0 && high === 0) begin(timeMs + 1);
  };
  return () => {
    const nowMs = clock.now().getTime();
    if (nowMs > timeMs) {
      begin(nowMs);
      [high, low] = [random(), random()];
    } else countUp();
    return timeText + textOf(high, halfDigits) + textOf(low, halfDigits);
  };
}

/** A number in so many digits, an even number of them. */
function textOf(number: number, digits: number): string {
  let text = '';
  for (let left = number; text.length < digits; left = Math.floor(left / 1024)) {
    text = (pairs[left % 1024] ?? '') + text;
  }
  return text;
}
