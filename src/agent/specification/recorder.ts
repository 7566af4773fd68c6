import type { MapDetails } from '../../kernel/iter/map-details.ts';
import type { RecordMap } from '../../kernel/iter/record-map.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import type { Clock } from '../../model/clock.ts';
import { isPinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import type { EventDocument } from '../../model/schema/event.ts';
import { type SpecifiedKind, specifiedKinds } from '../../model/schema/specification.ts';
import type { SpecificationRecord, Store } from '../../model/store.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { ObjectEntry } from '../inventory/objects.ts';
import { Pace } from '../observer/pace.ts';
import { Gatherer } from './gather.ts';
import { type MapFacts, mapSpecification, type Origin } from './of-map.ts';
import { programSpecification } from './of-program.ts';
import { toStored } from './stored.ts';

/** What the recorder stands on. */
export interface SpecificationRecorderParts {
  readonly kernel: Kernel;
  readonly store: Store;
  readonly clock: Clock;
  readonly inventory: Inventory;
  /** Told how many parts (BTF, instructions) found no room in the database. */
  readonly onLeftOut: (parts: number) => void;
  /** Told of a run that failed; what it did not store is tried again after the next full pass. */
  readonly onFailure: (error: unknown) => void;
}

/** Stands for bytes that are stored beside the document. */
const elsewhere = new Uint8Array(0);

/**
 * Stores what every map and program was made with, after it has appeared, and again when a map is frozen.
 *
 * It works behind the observation, in slices of its own: an object that is gone before its turn leaves only
 * what the observation knew. Maps are not opened for it; programs are, once each.
 */
export class SpecificationRecorder {
  readonly #parts: SpecificationRecorderParts;
  readonly #waiting = new Set<string>();
  /** What the last look at all maps told, and which of them were frozen then. */
  #details: RecordMap<MapDetails> | undefined;
  readonly #frozen = new Set<number>();
  #hasBegun = false;
  #hasFailed = false;
  #isStopping = false;
  #running: Promise<void> | undefined;

  constructor(parts: SpecificationRecorderParts) {
    this.#parts = parts;
  }

  /** Takes note of what has appeared. */
  note(events: readonly EventDocument[]): void {
    for (const { type, subject } of events) {
      if (type === 'object.appeared' && subject.id !== undefined) this.#want(subject.kind, subject.id);
    }
  }

  /** To be called after every pass of the observer; `isFull` for one that looks at everything. */
  afterPass(isFull: boolean): void {
    if (isFull) this.#lookAround();
    if (isFull) this.#hasFailed = false;
    if (this.#waiting.size === 0 || this.#running !== undefined || this.#hasFailed) return;
    this.#running = this.#run()
      .catch((error: unknown) => {
        this.#hasFailed = true;
        this.#parts.onFailure(error);
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** Resolves when everything that has appeared is stored. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Ends after the slice under way. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
  }

  #want(kind: string | undefined, id: number): void {
    if (specifiedKinds.some((each) => each === kind)) this.#waiting.add(`${kind}:${id}`);
  }

  /** What an agent before this one left out, and maps that were frozen since. */
  #lookAround(): void {
    const { kernel, store } = this.#parts;
    if (!this.#hasBegun) {
      for (const { kind, id } of store.specifications.listMissing(kernel.facts.bootId)) this.#want(kind, id);
      this.#hasBegun = true;
    }
    this.#readDetails();
  }

  /** Of all maps at once, so that none need be looked for. Those that were frozen since are wanted again. */
  #readDetails(): ReadonlyMap<number, MapDetails> {
    const { mapDetails } = this.#parts.kernel;
    if (mapDetails.unavailable !== undefined) return new Map();
    const { isSame, objects } = mapDetails.readAll();
    if (isSame && this.#details === objects) return objects;
    for (const { id, isFrozen } of objects.changedSince(this.#details)) {
      if (isFrozen && !this.#frozen.has(id)) this.#want('map', id);
      if (isFrozen) this.#frozen.add(id);
      else this.#frozen.delete(id);
    }
    for (const id of this.#frozen) if (!objects.has(id)) this.#frozen.delete(id);
    this.#details = objects;
    return objects;
  }

  async #run(): Promise<void> {
    const pace = new Pace(this.#parts.clock);
    const gatherer = new Gatherer(this.#parts, limits.specificationPartBytesMax);
    await pace.rest();
    let details = this.#readDetails();
    while (this.#waiting.size > 0 && !this.#isStopping) {
      const chunk = this.#take();
      if (chunk.some((key) => isOfNewMap(key, details))) details = this.#readDetails();
      try {
        const records: SpecificationRecord[] = [];
        for (const key of chunk) {
          const record = await this.#recordOf(key, gatherer, details);
          if (record !== undefined) records.push(record);
          await pace.restIfOver();
        }
        this.#parts.onLeftOut(this.#parts.store.specifications.put(records));
      } catch (error) {
        for (const key of chunk) this.#waiting.add(key);
        throw error;
      }
      await pace.rest();
    }
  }

  /** Those to be stored next; what is wanted again meanwhile is stored again. */
  #take(): readonly string[] {
    const chunk: string[] = [];
    for (const key of this.#waiting) {
      if (chunk.length >= limits.specificationChunkRows) break;
      chunk.push(key);
    }
    for (const key of chunk) this.#waiting.delete(key);
    return chunk;
  }

  async #recordOf(
    key: string,
    gatherer: Gatherer,
    details: ReadonlyMap<number, MapDetails>,
  ): Promise<SpecificationRecord | undefined> {
    const [kind = '', id = ''] = key.split(':');
    const known = specifiedKinds.find((each) => each === kind);
    const entry = known && this.#parts.inventory.objects.find(known, Number(id));
    if (known === undefined || entry === undefined) return undefined;
    const recordedAt = this.#parts.clock.now().toISOString();
    const origin = this.#originOf(known, entry, recordedAt);
    const stored = await this.#specify(entry, gatherer, { details, origin });
    if (stored === undefined) return undefined;
    const { fingerprint } = entry;
    return {
      bootId: this.#parts.kernel.facts.bootId,
      kind: known,
      id: entry.id,
      fingerprint,
      recordedAt,
      ...stored,
    };
  }

  async #specify(
    { info, fingerprint }: ObjectEntry,
    gatherer: Gatherer,
    { details, origin }: { readonly details: ReadonlyMap<number, MapDetails>; readonly origin: Origin },
  ): Promise<ReturnType<typeof toStored> | undefined> {
    if (info.kind === 'map') {
      const missing = this.#parts.kernel.mapDetails.unavailable ?? 'it went away before it could be read';
      const value = details.get(info.id);
      const facts = gatherer.mapFactsWith(info, value === undefined ? { missing } : { value });
      return toStored(mapSpecification({ ...facts, btf: without(facts.btf) }, origin), bytesOf(facts.btf));
    }
    if (info.kind !== 'program') return undefined;
    try {
      const facts = await gatherer.programFacts(info.id, fingerprint);
      if (facts === undefined) return undefined;
      return toStored(
        programSpecification({ ...facts, btf: without(facts.btf) }, origin),
        bytesOf(facts.btf),
      );
    } catch (error) {
      if (isPinfoldError(error, 'object_not_found')) return undefined;
      throw error;
    }
  }

  #originOf(kind: SpecifiedKind, { id, fingerprint, firstSeen }: ObjectEntry, readAt: string): Origin {
    return { kind, id, fingerprint, state: 'present', read_at: readAt, first_seen: firstSeen };
  }
}

/** A map that is younger than the details, which are read once for many. */
function isOfNewMap(key: string, details: ReadonlyMap<number, MapDetails>): boolean {
  return key.startsWith('map:') && !details.has(Number(key.slice('map:'.length)));
}

function bytesOf(btf: MapFacts['btf']): Uint8Array | undefined {
  return btf !== undefined && 'value' in btf ? btf.value : undefined;
}

function without(btf: MapFacts['btf']): MapFacts['btf'] {
  return bytesOf(btf) === undefined ? btf : { value: elsewhere };
}
