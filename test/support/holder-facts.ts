import type { Counters } from '../../src/model/hazard.ts';
import type { Reading } from '../../src/model/holder/document.ts';
import type { HolderFacts, ObjectKey } from '../../src/model/holder/facts.ts';
import { Holders, keyOf } from '../../src/model/holder/holders.ts';
import { type PinPath, parsePath } from '../../src/model/path.ts';

/** Facts with everything that is not given empty. */
export function facts(given: Partial<HolderFacts>): HolderFacts {
  return {
    processes: new Map(),
    files: [],
    pins: [],
    openInodes: [],
    filesystems: [],
    holds: [],
    attachments: [],
    unavailable: [],
    ...given,
  };
}

/** What is told of an object in a test. */
export interface Told {
  readonly type?: string;
  readonly name?: string;
  readonly refcnt?: number;
  readonly usercnt?: number;
}

/** A reading of given facts about one object, on the instance `0:39`. */
export function reading(
  object: ObjectKey,
  given: Partial<HolderFacts>,
  told: Readonly<Record<string, Told>> = {},
): Reading {
  const all = facts(given);
  const of = (one: ObjectKey): Told => told[keyOf(one)] ?? {};
  const countersOf = (one: ObjectKey): Counters | undefined => {
    const { refcnt, usercnt } = of(one);
    if (refcnt === undefined) return undefined;
    return { refcnt: BigInt(refcnt), ...(usercnt === undefined ? {} : { usercnt: BigInt(usercnt) }) };
  };
  return {
    object,
    observedAt: new Date(0),
    counters: countersOf(object),
    whyNoCounters: undefined,
    unavailable: all.unavailable,
    hasMoved: false,
    holders: new Holders(all),
    primaryMount: '0:39',
    countersOf,
    typeOf: (one) => of(one).type,
    isAttached: () => true,
    labelOf: (one) => {
      const { type, name } = of(one);
      return { ...(type === undefined ? {} : { type }), ...(name === undefined ? {} : { name }) };
    },
  };
}

/** A pin's path. */
export function at(path: string): PinPath {
  return parsePath(path);
}
