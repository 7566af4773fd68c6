import { limits } from '../limits.ts';

/**
 * How long to wait after so many failures in a row: twice as long each time, up to a bound, and of that a
 * random part between half and all, so that many senders do not come back together.
 *
 * What the receiver asked for by Retry-After is waited out at least, up to a bound of its own.
 */
export function retryDelayMs(given: {
  readonly failures: number;
  /** In [0, 1). */
  readonly random: number;
  readonly retryAfterMs: number | undefined;
}): number {
  const { failures, random, retryAfterMs = 0 } = given;
  const doubled = limits.webhookRetryMs * 2 ** Math.min(failures - 1, 30);
  const ownMs = Math.min(doubled, limits.webhookRetryMaxMs) * (0.5 + random / 2);
  return Math.max(ownMs, Math.min(retryAfterMs, limits.webhookRetryAfterMaxMs));
}

/**
 * The time a Retry-After header means (RFC 9110, 10.2.3): seconds, or a date, which is compared with the
 * Date of the same answer, because that and not ours is the clock it was written by.
 */
export function parseRetryAfter(header: string | undefined, date: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const ms = Date.parse(header) - Date.parse(date ?? '');
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
