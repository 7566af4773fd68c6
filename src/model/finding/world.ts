import type { Counters } from '../hazard.ts';
import type { Island } from '../holder/islands.ts';
import type { ObjectKind, PinnableKind } from '../kind.ts';
import type { PinPath } from '../path.ts';
import type { LinkInfo } from '../schema/link-info.ts';
import type { MapInfo } from '../schema/map-info.ts';
import type { MountDocument } from '../schema/pin.ts';
import type { ProgramInfo } from '../schema/program-info.ts';
import type { Unheld } from '../unheld.ts';
import type { Thresholds } from './thresholds.ts';

/** A pin as rules see it. */
export interface WorldPin {
  readonly mount: string;
  readonly path: PinPath;
  readonly owner: string | null;
  readonly isClaimed: boolean;
  /** Milliseconds since the epoch. */
  readonly pinnedAtMs: number;
}

/** An object as rules see it. */
export interface WorldObject<Info> {
  readonly info: Info;
  /** Milliseconds since the epoch. */
  readonly firstSeenMs: number;
  /** Absent where they were not read since the object appeared. */
  readonly counters: Counters | undefined;
  /** Every name that leads to it. */
  readonly pins: readonly WorldPin[];
  /** How many references its pins are: names of one inode share one. */
  readonly pinnedInodes: number;
  /** Since when nothing but its pins has held it; undefined where something does, or is not known. */
  readonly unheld: Unheld | undefined;
}

/** A process that has an object open or mapped. */
export interface WorldProcess {
  readonly pid: number;
  /** Byte string. */
  readonly comm: string;
}

/** What was found out about who holds what. */
export interface WorldHolders {
  /** References on a map or link that the kernel counts and nobody shows; 0 where that cannot be said. */
  unexplained(kind: PinnableKind, id: number): number;
  /** The processes whose files alone keep an object; undefined where anything else does, too. */
  onlyProcesses(kind: ObjectKind, id: number): readonly WorldProcess[] | undefined;
  /** Programs that run somewhere, by whatever means. */
  readonly attached: ReadonlySet<number>;
  /** Objects that hold each other, and that nothing but pins holds from outside. */
  readonly islands: readonly WorldIsland[];
}

/** Such objects, and since when they were seen to be so, in milliseconds since boot. */
export interface WorldIsland {
  readonly members: Island;
  readonly sinceBootMs: number;
}

/** What rules may need beyond objects, pins and mounts; each can be missing on a kernel. */
export type Need = 'objects' | 'counters' | 'entries' | 'frozen' | 'holders';

/** Everything that rules conclude from, as of one moment. What is in `missing` is empty here. */
export interface World {
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  /** Milliseconds since boot at the same moment. */
  readonly bootMs: number;
  readonly thresholds: Thresholds;
  readonly maps: ReadonlyMap<number, WorldObject<MapInfo>>;
  readonly programs: ReadonlyMap<number, WorldObject<ProgramInfo>>;
  readonly links: ReadonlyMap<number, WorldObject<LinkInfo>>;
  readonly mounts: readonly MountDocument[];
  /** Control groups of this machine. */
  readonly cgroups: number;
  /** Entries of maps whose kernel counts them. */
  readonly entries: ReadonlyMap<number, number>;
  /** Maps that user space may write to, although by their BTF they hold constants: names of those. */
  readonly writableConstants: ReadonlyMap<number, readonly string[]>;
  readonly holders: WorldHolders;
  /** What could not be found out, and why, ending a sentence. */
  readonly missing: Readonly<Partial<Record<Need, string>>>;
}

/** Types of maps whose entries the kernel counts (kernel/bpf/hashtab.c); it says 0 of all others. */
export function countsEntries(type: string): boolean {
  return /^(?:lru_)?(?:percpu_)?hash$|^hash_of_maps$/.test(type);
}
