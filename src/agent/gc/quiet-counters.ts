import { setTimeout as pause } from 'node:timers/promises';
import type { CounterReader } from '../../kernel/kernel.ts';
import type { Counters } from '../../model/hazard.ts';
import type { PinnableKind } from '../../model/kind.ts';

/** Looks in passing (bpftool, another agent) are over in less. */
const betweenMs = 30;
const looks = 5;

/**
 * The least that the kernel counts on each object in a few looks: whoever only looks at one in passing is no
 * reason to keep it. Whoever comes in between is found when its pin is about to go.
 */
export async function readQuietCounters(
  counters: CounterReader,
  kind: PinnableKind,
): Promise<ReadonlyMap<number, Counters>> {
  let last: ReadonlyMap<number, Counters> = counters.readAll(kind);
  for (let look = 1; look < looks; look++) {
    await pause(betweenMs);
    const before = last;
    const now = counters.readAll(kind);
    last = new Map([...now].map(([id, each]) => [id, lesser(each, before.get(id))]));
  }
  return last;
}

function lesser(one: Counters, other: Counters | undefined): Counters {
  return other !== undefined && other.refcnt < one.refcnt ? other : one;
}
