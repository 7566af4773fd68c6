import { constantsOf } from '../../kernel/btf/constants.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { isPinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import type { MapInfo } from '../../model/schema/map-info.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { Pace } from '../observer/pace.ts';

/** Names of what a map's BTF says is constant; none where something in it may change. */
type Constants = readonly string[];

/**
 * Which maps are constants by their BTF, and which of those may still be written to.
 *
 * BTF never changes, so each type is read once: when a map of it appeared, not at rest.
 */
export class ConstantMaps {
  readonly #kernel: Kernel;
  readonly #inventory: Inventory;
  readonly #known = new Map<string, Constants>();

  constructor(kernel: Kernel, inventory: Inventory) {
    this.#kernel = kernel;
    this.#inventory = inventory;
  }

  /** Why it cannot be told which maps are frozen, ending a sentence; undefined where it can. */
  get unavailable(): string | undefined {
    return this.#kernel.mapDetails.unavailable;
  }

  /** Reads the types of maps that were not looked at yet, and forgets those of maps that are gone. */
  async learn(pace: Pace): Promise<void> {
    const wanted = new Set<string>();
    for (const map of this.#candidates()) {
      const key = this.#keyOf(map);
      wanted.add(key);
      if (this.#known.has(key)) continue;
      this.#known.set(key, this.#read(map));
      await pace.restIfOver();
    }
    for (const key of this.#known.keys()) if (!wanted.has(key)) this.#known.delete(key);
  }

  /** Maps of constants that are not frozen, with the names of what is in them. Opens none. */
  writable(): ReadonlyMap<number, Constants> {
    const found = new Map<number, Constants>();
    if (this.unavailable !== undefined) return found;
    for (const map of [...this.#candidates()]) {
      const constants = this.#known.get(this.#keyOf(map)) ?? [];
      if (constants.length > 0 && !this.#isFrozen(map)) found.set(map.id, constants);
    }
    return found;
  }

  /** What is frozen stays frozen, so only what was not is asked about again. */
  #isFrozen(map: MapInfo): boolean {
    if (map.frozen === true) return true;
    const details = this.#kernel.mapDetails.readOne(map.id);
    // A map that is gone needs no freezing.
    if (details?.isFrozen !== true) return details === undefined;
    const entry = this.#inventory.objects.find('map', map.id);
    if (entry?.info === map) this.#inventory.objects.set({ ...entry, info: { ...map, frozen: true } });
    return true;
  }

  /** Global data is an array map of one value, whose type is a section of variables. */
  *#candidates(): Iterable<MapInfo> {
    for (const { info } of this.#inventory.objects.entries('map')) {
      if (info.kind !== 'map' || info.type !== 'array' || info.max_entries !== 1) continue;
      if ((info.btf_id ?? 0) > 0 && (info.btf_value_type_id ?? 0) > 0) yield info;
    }
  }

  /** Ids of BTF are reused: its fingerprint tells one from the next. */
  #keyOf({ btf_id = 0, btf_value_type_id }: MapInfo): string {
    const fingerprint = this.#inventory.objects.find('btf', btf_id)?.fingerprint ?? '';
    return `${btf_id}/${fingerprint}/${btf_value_type_id}`;
  }

  #read({ btf_id = 0, btf_value_type_id = 0 }: MapInfo): Constants {
    try {
      using held = this.#kernel.objects.holdById('btf', btf_id);
      if (held.info.kind !== 'btf' || held.info.btf_size > limits.findingBtfBytesMax) return [];
      return constantsOf(this.#kernel.types.read(held), btf_value_type_id);
    } catch (error) {
      // It is gone, or nothing that can be read: nothing is concluded from it.
      if (isPinfoldError(error)) return [];
      throw error;
    }
  }
}
