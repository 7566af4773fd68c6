import { pause } from '../../kernel/sys/pause.ts';
import { type Counters, isInDoubt, type Loss } from '../../model/hazard.ts';
import { limits } from '../../model/limits.ts';

/**
 * Counters of one object, read again for some milliseconds while somebody who has it open only in passing may
 * have been counted as what keeps it: the lowest of them. Undefined where the kernel does not show it, or no
 * longer.
 *
 * @see docs/adr/0025-what-keeps-an-object-stays.md
 */
export function lowestCount(
  read: () => Counters | undefined,
  lossOf: (counters: Counters) => Loss,
): Counters | undefined {
  let lowest = read();
  for (const ms of limits.recountPausesMs) {
    if (lowest === undefined || !isInDoubt(lossOf(lowest))) return lowest;
    pause(ms);
    const now = read();
    lowest = now && lowerCounters(lowest, now);
  }
  return lowest;
}

/** Of each counter the lower one. */
export function lowerCounters(one: Counters, other: Counters): Counters {
  const users = [one.usercnt, other.usercnt].flatMap((count) => count ?? []);
  const [first, second = first] = users;
  const usercnt = first === undefined || second === undefined ? {} : { usercnt: least(first, second) };
  return { ...one, refcnt: least(one.refcnt, other.refcnt), ...usercnt };
}

function least(one: bigint, other: bigint): bigint {
  return one < other ? one : other;
}
