import type { Kernel } from '../../kernel/kernel.ts';
import type { ClaimedPins } from '../../model/claim/claimed-pins.ts';
import type { Clock } from '../../model/clock.ts';
import type { Thresholds } from '../../model/finding/thresholds.ts';
import type { Need, World, WorldHolders } from '../../model/finding/world.ts';
import type { Counters } from '../../model/hazard.ts';
import type { ObjectKey, UnavailableFact } from '../../model/holder/facts.ts';
import { islandsOf } from '../../model/holder/islands.ts';
import { type PinnableKind, pinnableKinds } from '../../model/kind.ts';
import { limits } from '../../model/limits.ts';
import type { Store } from '../../model/store.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { UnheldWatch } from '../inventory/unheld-watch.ts';
import type { KnownMounts } from '../observer/known-mounts.ts';
import type { Pace } from '../observer/pace.ts';
import { revisionsOf } from '../selection/inventory-counts.ts';
import { Remembered } from '../selection/remembered.ts';
import { ConstantMaps } from './constants.ts';
import {
  type HolderReading,
  holderView,
  noHolders,
  unexplainedIn,
  unexplainedInBoth,
} from './holder-view.ts';
import { IslandAges } from './island-ages.ts';
import { hasLinkChanged, hasLostTarget } from './recheck.ts';
import { type WorldObjects, worldObjects } from './world.ts';

/** What looking takes. */
export interface WorldWatchParts {
  readonly kernel: Kernel;
  readonly store: Pick<Store, 'settings'>;
  readonly clock: Clock;
  readonly inventory: Inventory;
  readonly known: KnownMounts;
  readonly claims: ClaimedPins;
  readonly thresholds: Thresholds;
  readonly isPinsOnly: boolean;
  readonly unheld: UnheldWatch;
  /** Everything that holds anything, by going through all processes. */
  readonly readHolders: () => HolderReading;
}

/** What a look came to. */
export interface Look {
  readonly world: World;
  /** Whether holders were read for it; otherwise the world has none. */
  readonly isHoldersNew: boolean;
  /** Something differs from the inventory, so that only a pass over everything makes it true again. */
  readonly mustObserve: boolean;
}

/** Reading holders may take one part in so many of the time. */
const holdersShare = 300;

/** Puts worlds together, and reads what costs something only when something moved or somebody asks. */
export class WorldWatch {
  readonly #parts: WorldWatchParts;
  readonly #constants: ConstantMaps;
  readonly #islandAges: IslandAges;
  #hasMoved = true;
  /** Of claims, too, which are not in the inventory. */
  #moves = 0;
  readonly #objects = new Remembered<WorldObjects>();
  /** The same one at each look. */
  readonly #noEntries: ReadonlyMap<number, number> = new Map();
  readonly #sums = new Map<PinnableKind, Remembered<string>>();
  #isHoldersDue = true;
  /** Something of the holders that another time may show could not be read when they were read last. */
  #isLacking = false;
  #mark = '';
  #last: Pick<WorldHolders, 'attached' | 'islands'> = noHolders;
  #holdersDueAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: WorldWatchParts) {
    this.#parts = parts;
    this.#constants = new ConstantMaps(parts.kernel, parts.inventory);
    this.#islandAges = new IslandAges(parts.store, parts.kernel.facts.bootId, parts.inventory);
  }

  /** Something came or went. */
  noteMoved(): void {
    this.#hasMoved = true;
    this.#moves++;
  }

  /** Looks around. `isAsked`: somebody waits for it, and wants what is true now. */
  async look(pace: Pace, isAsked: boolean): Promise<Look> {
    const { inventory, thresholds, clock, known, claims, kernel, unheld } = this.#parts;
    const missing = this.#missing();
    const isTargetLost = missing.objects === undefined && hasLostTarget(kernel, inventory);
    const mark = missing.counters === undefined ? this.#readCounters() : '';
    unheld.look();
    const hasMoved = this.#hasMoved || isAsked || isTargetLost || mark !== this.#mark;
    this.#hasMoved = false;
    this.#mark = mark;
    this.#isHoldersDue ||= hasMoved;
    let mustObserve = false;
    if (hasMoved && missing.objects === undefined) {
      await this.#constants.learn(pace);
      mustObserve = await hasLinkChanged(kernel, inventory, pace);
    }
    const holders = missing.holders === undefined ? await this.#readHolders(pace, isAsked) : undefined;
    if (holders !== undefined) this.#last = holders.view;
    const entryCounts = missing.entries === undefined ? kernel.entryCounts.readAll() : this.#noEntries;
    const objects = this.#objects.of(
      [...revisionsOf(inventory), inventory.objects.unheldRevision, this.#moves, entryCounts],
      () => worldObjects(inventory, { claims, entryCounts }),
    );
    const world: World = {
      ...objects,
      nowMs: clock.now().getTime(),
      bootMs: clock.bootMs(),
      thresholds,
      mounts: known.documents(),
      cgroups: kernel.cgroups.count(),
      writableConstants: missing.frozen === undefined ? this.#constants.writable() : new Map(),
      // Rules that need no other holders go by what was attached, or held itself, when these were read.
      holders: holders?.view ?? {
        ...noHolders,
        attached: this.#last.attached,
        islands: this.#last.islands,
      },
      missing: holders?.lacks === undefined ? missing : { ...missing, holders: holders.lacks },
    };
    await pace.restIfOver();
    return { world, isHoldersNew: holders !== undefined, mustObserve };
  }

  #missing(): World['missing'] {
    const { isPinsOnly, kernel } = this.#parts;
    const why = 'the agent runs with --pins-only';
    if (isPinsOnly) return { objects: why, counters: why, entries: why, frozen: why, holders: why };
    const counters = pinnableKinds.map((kind) => kernel.counters.unavailable(kind)).find(Boolean);
    const reasons: Partial<Record<Need, string | undefined>> = {
      counters,
      holders: counters,
      entries: kernel.entryCounts.unavailable,
      frozen: this.#constants.unavailable,
    };
    return Object.fromEntries(Object.entries(reasons).filter(([, reason]) => reason !== undefined));
  }

  /** Rules compare counters with pins: those of this moment, not of the last pass over everything. */
  #readCounters(): string {
    const { inventory, kernel } = this.#parts;
    const sumOf = (kind: PinnableKind): string => {
      const counters = kernel.counters.readAll(kind);
      inventory.objects.setCounters(kind, counters);
      const sum = this.#sums.get(kind) ?? new Remembered<string>();
      this.#sums.set(kind, sum);
      return sum.of([counters], () => sumCounters(counters));
    };
    return pinnableKinds.map(sumOf).join(' ');
  }

  /** Objects whose counters can be explained; one attachment of a program may be several references. */
  #counted(): readonly ObjectKey[] {
    const { objects } = this.#parts.inventory;
    return [...objects.entries('map'), ...objects.entries('link')];
  }

  /** Maps and programs that hold each other, and since when these same ones are seen to. */
  #islandsIn({ holders, countersOf }: HolderReading): WorldHolders['islands'] {
    const { inventory, clock } = this.#parts;
    const objects = [...inventory.objects.entries('map'), ...inventory.objects.entries('program')];
    return this.#islandAges.of(islandsOf(holders, countersOf, objects), clock.bootMs());
  }

  /** Holders, where they are due; `lacks` where too little of them could be read to conclude anything. */
  async #readHolders(
    pace: Pace,
    isAsked: boolean,
  ): Promise<{ readonly view: WorldHolders; readonly lacks: string | undefined } | undefined> {
    const { clock, readHolders } = this.#parts;
    const began = clock.monotonicMs();
    if (!this.#isHoldersDue || (began < this.#holdersDueAtMs && !isAsked)) return undefined;
    await pace.rest();
    const first = readHolders();
    await pace.rest();
    const candidates = unexplainedIn(first, this.#counted());
    await pace.rest();
    const unexplained =
      candidates.size === 0
        ? candidates
        : unexplainedInBoth(candidates, unexplainedIn(readHolders(), this.#counted()));
    await pace.rest();
    const lacks = lackOf(first);
    // What could not be read is soon read again, unless it never can be; what stays so costs no more than
    // what is read.
    const isLacking = first.facts.unavailable.some((fact) => isOfMaps(fact) && fact.isLasting !== true);
    const isRetriedSoon = isLacking && !this.#isLacking;
    this.#isLacking = isLacking;
    this.#isHoldersDue = this.#isLacking;
    const took = clock.monotonicMs() - began;
    const pause = Math.min(10 * limits.findingsIntervalMaxMs, took * holdersShare);
    this.#holdersDueAtMs = began + Math.max(limits.findingsIntervalMs, isRetriedSoon ? 0 : pause);
    // Where too little was read, those that were found last stand: the rule counts their references anew.
    const islands = lacks === undefined ? this.#islandsIn(first) : this.#last.islands;
    return { view: holderView(first, unexplained, islands), lacks };
  }
}

function sumCounters(counters: ReadonlyMap<number, Counters>): string {
  let refcnt = 0n;
  let usercnt = 0n;
  for (const each of counters.values()) {
    refcnt += each.refcnt;
    usercnt += each.usercnt ?? 0n;
  }
  return `${counters.size}:${refcnt}:${usercnt}`;
}

/** Whether holders of maps are missing. Network namespaces have only attachments of programs. */
function isOfMaps({ what }: UnavailableFact): boolean {
  return !what.startsWith('netns');
}

/** What of the holders of maps could not be read. */
function lackOf({ facts }: HolderReading): string | undefined {
  const lack = facts.unavailable.find(isOfMaps);
  return lack === undefined ? undefined : `${lack.what} cannot be read: ${lack.reason}`;
}
