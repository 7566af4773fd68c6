import type { Kernel } from '../../kernel/kernel.ts';
import type { ClaimedPins } from '../../model/claim/claimed-pins.ts';
import type { Clock } from '../../model/clock.ts';
import { PinfoldError } from '../../model/error.ts';
import { usualThresholds } from '../../model/finding/thresholds.ts';
import type { World } from '../../model/finding/world.ts';
import { type GcWorld, missingFor } from '../../model/gc/plan.ts';
import { pinnableKinds } from '../../model/kind.ts';
import { noHolders } from '../finding/holder-view.ts';
import { hasLinkChanged } from '../finding/recheck.ts';
import { worldObjects } from '../finding/world.ts';
import type { Inventory } from '../inventory/inventory.ts';
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
  readonly isPinsOnly: boolean;
  /** A pass that begins after the call and reads everything. */
  readonly observe: () => Promise<void>;
  readonly ageMs: (wallMs: number) => number;
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
  const objects = worldObjects(inventory, {
    entryCounts: kernel.entryCounts.unavailable === undefined ? kernel.entryCounts.readAll() : new Map(),
    // Whoever plans asks about claims itself, to tell of them.
    claims: { claimsOf: () => [] },
  });
  const world = {
    ...objects,
    nowMs: clock.now().getTime(),
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
  return {
    world,
    isClaimed: ({ mount, path }) => claims.claimsOf({ mount, path }).length > 0,
    ageMs: ({ pinnedAtMs }) => ageMs(pinnedAtMs),
  };
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
