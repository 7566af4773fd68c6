import { limits } from '../../limits.ts';
import type { Drift, PinSetState, PinSetStatus } from '../../schema/pinset.ts';

/** What a node came to, before it is made to fit. */
export interface StatusFacts {
  readonly generation: number;
  readonly seen: number;
  readonly state: PinSetState;
  readonly drifts: readonly Drift[];
  readonly detail?: string | undefined;
  readonly isAhead: boolean;
  readonly time: string;
}

/** Texts of a drift and of the detail are cut to this where not all fits. */
const shortCharsMax = 100;

/** What a node says of a set: as much as limits.pinSetStatusBytesMax allows, and how much is left out. */
export function statusOf(facts: StatusFacts): PinSetStatus {
  const whole = documentOf(facts, facts.drifts.length);
  if (fits(whole)) return whole;
  const short = {
    ...facts,
    drifts: facts.drifts.map(shortened),
    detail: facts.detail?.slice(0, shortCharsMax),
  };
  let count = short.drifts.length;
  while (count > 0 && !fits(documentOf(short, count))) count = count > 8 ? count >> 1 : count - 1;
  return documentOf(short, count);
}

function documentOf(facts: StatusFacts, count: number): PinSetStatus {
  const { generation, seen, state, drifts, detail, isAhead, time } = facts;
  const left = drifts.length - count;
  return {
    generation,
    seen,
    state,
    drifts: drifts.slice(0, count),
    ...(left === 0 ? {} : { more_drifts: left }),
    ...(detail === undefined ? {} : { detail }),
    ...(isAhead ? { ahead_of_store: true } : {}),
    time,
  };
}

function shortened({ path, code, expected, actual }: Drift): Drift {
  return {
    path,
    code,
    ...(expected === undefined ? {} : { expected: expected.slice(0, shortCharsMax) }),
    ...(actual === undefined ? {} : { actual: actual.slice(0, shortCharsMax) }),
  };
}

function fits(status: PinSetStatus): boolean {
  return Buffer.byteLength(JSON.stringify(status)) <= limits.pinSetStatusBytesMax;
}
