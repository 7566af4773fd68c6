import { pause } from '../../kernel/sys/pause.ts';
import { type Counters, isInDoubt, type Loss } from '../../model/hazard.ts';
import { limits } from '../../model/limits.ts';
import type { OperationEnvironment } from './environment.ts';
import { lowerCounters } from './lowest-count.ts';
import type { Losing } from './move.ts';
import { isInode, type Site } from './site.ts';
import { type AtStake, atStake, objectKey, type Stakes } from './stakes.ts';

/** Counters, or why they cannot be had. */
type Reading = Counters | string;

/**
 * Counters of objects as they were read for all who ask while nothing changes; what we have come to hold
 * ourselves since is added.
 */
export class CountedObjects {
  readonly #environment: OperationEnvironment;
  readonly #readings = new Map<string, { readonly reading: Reading; readonly ours: number }>();

  constructor(environment: OperationEnvironment) {
    this.#environment = environment;
  }

  /** What was read of an object, now if it has not been yet. */
  of(one: AtStake): Reading {
    const known = this.#readings.get(objectKey(one.object));
    if (known === undefined) return this.#note(one, readCounters(this.#environment, one));
    if (typeof known.reading === 'string') return known.reading;
    return plus(known.reading, BigInt(one.ours - known.ours));
  }

  /**
   * Counts again, for some milliseconds, wherever somebody who has an object open only in passing may have
   * been counted as what keeps it, and keeps the lowest: what is still there stays. All wait together.
   *
   * @param site - where another pin of an object is looked for, which is proof enough
   * @see docs/adr/0025-what-keeps-an-object-stays.md
   */
  countAgain(all: readonly Stakes[], site: Site): void {
    let doubted = all.flatMap(atStake).filter((one) => this.#isInDoubt(one) && !isPinnedBesides(one, site));
    for (const ms of limits.recountPausesMs) {
      if (doubted.length === 0) return;
      pause(ms);
      for (const one of new Map(doubted.map((each) => [objectKey(each.object), each])).values()) {
        this.#note(one, lower(this.of(one), readCounters(this.#environment, one)));
      }
      doubted = doubted.filter((one) => this.#isInDoubt(one));
    }
  }

  #isInDoubt(one: AtStake): boolean {
    const reading = this.of(one);
    return typeof reading !== 'string' && isInDoubt(lossOf(one, reading));
  }

  #note({ object, ours }: AtStake, reading: Reading): Reading {
    this.#readings.set(objectKey(object), { reading, ours });
    return reading;
  }
}

/** An object's loss, as the rules of hazards judge it. */
export function lossOf({ object, going, unseen, ours, losing }: AtStake, counters: Counters): Loss {
  const { kind, type } = object;
  return { kind, type, counters: plus(counters, unseen), ours, going, ...attachment(losing) };
}

/** A link says so itself where its target is already gone. */
function attachment(losing: readonly Losing[]): { readonly isAttached?: boolean } {
  const info = losing[0]?.subject.held?.info;
  return info?.kind === 'link' && info.is_attached !== undefined ? { isAttached: info.is_attached } : {};
}

/** So many of an object's pins are looked for, lest a thousand that are gone cost more than they save. */
const pinsTriedMax = 4;

/**
 * Whether another pin of the object is seen, now, in the instance whose turn is ours: no other agent takes it
 * away before we have ended.
 */
function isPinnedBesides({ object, losing }: AtStake, site: Site): boolean {
  const going = new Set(losing.map(({ subject }) => subject.state?.inode.inode));
  let tried = 0;
  for (const pin of site.sink.pinsOf(object)) {
    if (pin.mount !== site.mount || going.has(pin.inode.inode)) continue;
    if (isInode(site.findInode(pin.path), pin)) return true;
    if (++tried === pinsTriedMax) return false;
  }
  return false;
}

function readCounters(environment: OperationEnvironment, { object, losing }: AtStake): Reading {
  if (!environment.usesIds) return 'this agent runs with --pins-only';
  const held = losing.find(({ subject }) => subject.held !== undefined)?.subject.held?.fd;
  const { counters } = environment.kernel;
  return (
    counters.unavailable(object.kind) ??
    counters.readOne(object.kind, object.id, held) ??
    'the kernel does not show the object'
  );
}

function lower(one: Reading, other: Reading): Reading {
  if (typeof one === 'string') return one;
  if (typeof other === 'string') return other;
  return lowerCounters(one, other);
}

function plus(counters: Counters, more: bigint): Counters {
  const { refcnt, usercnt } = counters;
  return {
    ...counters,
    refcnt: refcnt + more,
    ...(usercnt === undefined ? {} : { usercnt: usercnt + more }),
  };
}
