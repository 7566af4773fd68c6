import type { ClaimedPins } from '../../model/claim/claimed-pins.ts';
import { countsEntries, type World, type WorldObject, type WorldPin } from '../../model/finding/world.ts';
import { pinnableKinds } from '../../model/kind.ts';
import type { LinkInfo } from '../../model/schema/link-info.ts';
import type { MapInfo } from '../../model/schema/map-info.ts';
import type { ProgramInfo } from '../../model/schema/program-info.ts';
import type { PinEntry } from '../inventory/entry.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { ObjectEntry } from '../inventory/objects.ts';
import { compareBytes } from '../inventory/sorted-list.ts';

/** What of a world changes only when something else does than the time. */
export type WorldObjects = Pick<World, 'maps' | 'programs' | 'links' | 'entries'>;

/** What it is made of, beside the inventory. */
export interface WorldObjectParts {
  readonly claims: ClaimedPins;
  readonly entryCounts: ReadonlyMap<number, number>;
}

/** All objects as of this moment, by id, for rules that may take several slices of time. */
export function worldObjects(inventory: Inventory, { entryCounts, claims }: WorldObjectParts): WorldObjects {
  const known: Known = { inventory, claims };
  const maps = new Map<number, WorldObject<MapInfo>>();
  const programs = new Map<number, WorldObject<ProgramInfo>>();
  const links = new Map<number, WorldObject<LinkInfo>>();
  const entries = new Map<number, number>();
  for (const kind of pinnableKinds) {
    for (const id of inventory.objects.ids(kind).items()) {
      const entry = inventory.objects.find(kind, id);
      if (entry === undefined) continue;
      const { info } = entry;
      if (info.kind === 'program') programs.set(id, objectOf(known, entry, info));
      if (info.kind === 'link') links.set(id, objectOf(known, entry, info));
      if (info.kind !== 'map') continue;
      maps.set(id, objectOf(known, entry, info));
      const count = entryCounts.get(id);
      if (count !== undefined && countsEntries(info.type)) entries.set(id, count);
    }
  }
  return { maps, programs, links, entries };
}

/** What pins are there, and who needs them. */
interface Known {
  readonly inventory: Inventory;
  readonly claims: ClaimedPins;
}

function objectOf<Info>({ inventory, claims }: Known, entry: ObjectEntry, info: Info): WorldObject<Info> {
  const { kind, id, firstSeen } = entry;
  const pins = pinsOf(inventory, entry);
  return {
    info,
    firstSeenMs: Date.parse(firstSeen),
    counters: inventory.objects.countersOf(kind, id),
    pins: pins.map((pin) => pinOf(pin, claims)),
    pinnedInodes: pins.length < 2 ? pins.length : inventory.countPinnedInodes(kind, id),
    unheld: inventory.objects.unheldOf(kind, id),
  };
}

/** In byte order. A link that died has another fingerprint than its pins remember, and is the same link. */
function pinsOf(inventory: Inventory, { kind, id, fingerprint }: ObjectEntry): readonly PinEntry[] {
  if (!inventory.isPinned(kind, id)) return [];
  const pins = inventory.pinsOf(kind, id);
  const own = kind === 'link' ? pins : pins.filter(({ object }) => object.fingerprint === fingerprint);
  if (own.length < 2) return own;
  return [...own].sort((one, other) => compareBytes(placeOf(one), placeOf(other)));
}

function placeOf({ mount, path }: PinEntry): string {
  return `${mount}/${path}`;
}

function pinOf({ mount, path, inode, annotations }: PinEntry, claims: ClaimedPins): WorldPin {
  return {
    mount,
    path,
    owner: annotations.owner,
    isClaimed: claims.claimsOf({ mount, path }).length > 0,
    pinnedAtMs: Number(inode.mtimeNs / 1_000_000n),
  };
}
