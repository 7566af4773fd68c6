import type {
  HolderFacts,
  HolderFactsReader,
  HolderRequest,
  ObjectHoldFact,
  ObjectKey,
  PinFact,
} from '../../model/holder/facts.ts';
import { limits } from '../../model/limits.ts';
import type { HeldFile } from '../iter/held-files.ts';
import type { MapHolds, ProgramHolds } from '../iter/hold-lists.ts';
import { readSinceBootMs } from '../proc/boot.ts';
import { addAttachments } from './attachments.ts';
import { holdersAbove, type ObjectSet } from './closure.ts';
import { Collection } from './collection.ts';
import { readDetached } from './detached.ts';
import { addFiles, addOpenInodes, isMappable, readHeldFiles } from './files.ts';
import { readKnownPins } from './known-pins.ts';
import { type LinkFact, linkHolds, readLinks } from './links.ts';
import { objectHolds, readMapHolds, readProgramHolds } from './object-holds.ts';
import { readPins } from './pins.ts';
import { readProcesses } from './processes.ts';
import { addSlots, hasSlots } from './slots.ts';
import type { HolderSources } from './sources.ts';
import { readPinsUnshown } from './unshown-pins.ts';

/** The objects there are, and what each holds. */
interface Objects {
  readonly maps: readonly MapHolds[];
  readonly programs: readonly ProgramHolds[];
  readonly links: readonly LinkFact[];
  readonly holds: readonly ObjectHoldFact[];
}

/** What pins are looked for with. */
interface Sought {
  readonly request: HolderRequest;
  readonly held: readonly HeldFile[];
  /** Undefined where everything is read. */
  readonly wanted: ObjectSet | undefined;
}

/**
 * Reads who holds what from the kernel: iterators, /proc, netlink and the queries of bpf(2).
 *
 * The order matters little, because everything may change meanwhile; the model sets what is found against the
 * kernel's counters and says where they differ.
 */
export class KernelHolders implements HolderFactsReader {
  readonly #sources: HolderSources;

  constructor(sources: HolderSources) {
    this.#sources = sources;
  }

  read(request: HolderRequest): HolderFacts {
    const gathered = new Collection(() => true);
    const { focus } = request;
    const objects = this.#readObjects(gathered, focus);
    const wanted = focus === undefined ? undefined : holdersAbove(focus, objects.holds);
    const into = new Collection((object) => wanted?.has(object) ?? true);
    into.unavailable.push(...gathered.unavailable);
    into.attachments.push(...gathered.attachments.filter(({ object }) => into.isWanted(object)));
    into.holds.push(...objects.holds.filter(({ held }) => into.isWanted(held)));
    const held = readHeldFiles(this.#sources, into, {
      ids: wanted?.all().map(({ id }) => id),
      withFirst: request.knownPins === undefined,
    });
    this.#addFiles(held, objects, into);
    const readAtMs = readSinceBootMs();
    this.#addPins({ request, held, wanted }, into);
    // Those of one object are told in the same order, whichever way they were found.
    if (wanted !== undefined) into.pins.sort(byPlace);
    addAttachments(this.#sources, { ...objects, held }, into);
    return into.facts(readProcesses(into, readAtMs));
  }

  #readObjects(into: Collection, focus: ObjectKey | undefined): Objects {
    // Most maps hold nothing but their BTF. Slots right after the list, which says of which they may be read.
    const choice = focus === undefined || focus.kind === 'btf' ? 'all' : 'near';
    const maps = readMapHolds(this.#sources, choice);
    const budget = { filled: limits.holderSlotsMax, looks: limits.holderSlotLooksMax };
    // The smallest first: one that is too large to be read whole costs no other its slots.
    const withSlots = maps.filter(hasSlots).toSorted((a, b) => a.maxEntries - b.maxEntries);
    for (const map of withSlots) {
      addSlots(this.#sources, map, { into, budget });
    }
    const programs = readProgramHolds(this.#sources);
    const links = readLinks(this.#sources);
    const holds = [...objectHolds(maps, programs), ...linkHolds(links), ...into.holds];
    return { maps, programs, links, holds };
  }

  #addFiles(held: readonly HeldFile[], { maps }: Objects, into: Collection): void {
    const readsMappings = maps.some((map) => isMappable(map) && into.isWanted({ kind: 'map', id: map.id }));
    addFiles(this.#sources, held, { into, readsMappings });
  }

  #addPins({ request, held, wanted }: Sought, into: Collection): void {
    const walk = { sources: this.#sources, request, into };
    const { knownPins } = request;
    const instances =
      knownPins === undefined || wanted === undefined
        ? readPinsUnshown(walk, readPins(walk))
        : readKnownPins(this.#sources.bpffs, knownPins, { objects: wanted.all(), into });
    const others = readDetached(walk, held, instances);
    for (const [mount, reason] of instances.reasons) {
      if (!others.has(mount)) into.lacks(`pins of bpffs ${mount}`, reason);
    }
    const isWalked = (device: string): boolean => instances.walked.has(device) || others.has(device);
    addOpenInodes(this.#sources, held, { into, isWalked });
  }
}

function byPlace(one: PinFact, other: PinFact): number {
  const [first, second] = [one, other].map(({ mount, path }) => `${mount}/${path}`);
  return (first ?? '') < (second ?? '') ? -1 : 1;
}
