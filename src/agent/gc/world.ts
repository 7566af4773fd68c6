import type { Kernel } from '../../kernel/kernel.ts';
import type { ClaimedPins } from '../../model/claim/claimed-pins.ts';
import type { Clock } from '../../model/clock.ts';
import { PinfoldError } from '../../model/error.ts';
import { usualThresholds } from '../../model/finding/thresholds.ts';
import type { World, WorldPin } from '../../model/finding/world.ts';
import { type GcWorld, missingFor } from '../../model/gc/plan.ts';
import { pinnableKinds } from '../../model/kind.ts';
import { limits } from '../../model/limits.ts';
import { pathMembers } from '../../model/path.ts';
import type { EventSubject } from '../../model/schema/event.ts';
import type { Store } from '../../model/store.ts';
import { noHolders } from '../finding/holder-view.ts';
import { hasLinkChanged } from '../finding/recheck.ts';
import { worldObjects } from '../finding/world.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { UnheldWatch } from '../inventory/unheld-watch.ts';
import type { KnownMounts } from '../observer/known-mounts.ts';
import { Pace } from '../observer/pace.ts';
import { readQuietCounters } from './quiet-counters.ts';

/** What worlds for plans are read with. */
export interface GcWorldParts {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly inventory: Inventory;
  readonly known: KnownMounts;
  readonly claims: ClaimedPins;
  readonly unheld: UnheldWatch;
  readonly isPinsOnly: boolean;
  /** A pass that begins after the call and reads everything. */
  readonly observe: () => Promise<void>;
  readonly ageMs: (wallMs: number) => number;
  readonly store: Pick<Store, 'events'>;
}

/**
 * Reads the world anew: a pass over all names and objects, and the kernel's counters of this moment.
 *
 * @throws PinfoldError not_supported where nobody can tell who holds what
 */
export async function readGcWorld(parts: GcWorldParts): Promise<GcWorld> {
  const { kernel, clock, inventory, claims, ageMs } = parts;
  await parts.observe();
  // A link dies without any event: only describing it again shows it.
  if (!parts.isPinsOnly && (await hasLinkChanged(kernel, inventory, new Pace(clock)))) await parts.observe();
  const missing = await missingIn(parts);
  parts.unheld.look();
  const objects = worldObjects(inventory, {
    entryCounts: kernel.entryCounts.unavailable === undefined ? kernel.entryCounts.readAll() : new Map(),
    // Whoever plans asks about claims itself, to tell of them.
    claims: { claimsOf: () => [] },
  });
  const world = {
    ...objects,
    nowMs: clock.now().getTime(),
    bootMs: clock.bootMs(),
    thresholds: usualThresholds,
    mounts: parts.known.documents(),
    cgroups: 0,
    writableConstants: new Map(),
    holders: noHolders,
    missing,
  };
  const why = missingFor(world);
  if (why !== undefined)
    throw new PinfoldError('not_supported', { detail: `Nothing can be cleaned up here: ${why}.` });
  const restoredAt = readRestorations(parts.store);
  const inodeOf = ({ mount, path }: WorldPin) => inventory.findMount(mount)?.findPin(path)?.inode.inode;
  return {
    world,
    isClaimed: ({ mount, path }) => claims.claimsOf({ mount, path }).length > 0,
    ageMs: (pin) => {
      const names = [nameOf(pin), inodeIn(pin.mount, inodeOf(pin))];
      const since = names.map((name) => restoredAt.get(name)).filter((at) => at !== undefined);
      return Math.min(...[pin.pinnedAtMs, ...since].map(ageMs));
    },
  };
}

/**
 * When names were given back out of quarantine, by history: whoever did that wants the pin, so that it counts
 * as new from then on. In milliseconds since the epoch, by instance and path, since others may want what they
 * put there; and by inode, since the pin may have been renamed.
 */
function readRestorations({ events }: Pick<Store, 'events'>): ReadonlyMap<string, number> {
  const restored = new Map<string, number>();
  for (let afterSeq = 0; ; ) {
    const page = events.list({ types: ['pin.restored'], afterSeq, limit: limits.pageItemsMax });
    for (const { subject, time, after } of page) {
      const { mount } = subject;
      for (const name of [nameIn(subject), inodeIn(mount, after?.['inode'])])
        restored.set(name, Date.parse(time));
    }
    afterSeq = page.at(-1)?.seq ?? afterSeq;
    if (page.length < limits.pageItemsMax) return restored;
  }
}

function nameOf({ mount, path }: Pick<WorldPin, 'mount' | 'path'>): string {
  return nameIn({ mount, ...pathMembers(path) });
}

function nameIn({ mount, path, path_bytes }: EventSubject): string {
  return JSON.stringify([mount, path_bytes ?? path]);
}

function inodeIn(mount: string | undefined, inode: unknown): string {
  return JSON.stringify([mount, { inode }]);
}

/** Brings the counters up to date on the way: plans compare them with pins. */
async function missingIn({ isPinsOnly, kernel, inventory }: GcWorldParts): Promise<World['missing']> {
  const why = 'the agent runs with --pins-only';
  if (isPinsOnly) return { objects: why, counters: why };
  const counters = pinnableKinds.map((kind) => kernel.counters.unavailable(kind)).find(Boolean);
  if (counters !== undefined) return { counters };
  for (const kind of pinnableKinds)
    inventory.objects.setCounters(kind, await readQuietCounters(kernel.counters, kind));
  return {};
}
