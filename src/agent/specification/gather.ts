import type { ProgramDetails } from '../../kernel/iter/program-details.ts';
import type { RecordMap } from '../../kernel/iter/record-map.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { readImage } from '../../kernel/program/image.ts';
import { isPinfoldError } from '../../model/error.ts';
import type { LinkInfo } from '../../model/schema/link-info.ts';
import type { MapInfo } from '../../model/schema/map-info.ts';
import type { ProgramInfo } from '../../model/schema/program-info.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { Fact, MapFacts } from './of-map.ts';
import type { ProgramFacts, UsedMap } from './of-program.ts';

/** BTF blobs that are kept while objects are gone through: those of one file stand next to each other. */
const blobsMax = 8;

/** Where facts come from. */
export interface GatherParts {
  readonly kernel: Kernel;
  readonly inventory: Inventory;
}

/** Reads what specifications are made from. One is made for each run, because it remembers ids of BTF. */
export class Gatherer {
  readonly #parts: GatherParts;
  readonly #bytesMax: number;
  readonly #blobs = new Map<number, Fact<Uint8Array>>();
  #programs: RecordMap<ProgramDetails> | undefined;

  /** BTF of more than `bytesMax` is not read. */
  constructor(parts: GatherParts, bytesMax: number) {
    this.#parts = parts;
    this.#bytesMax = bytesMax;
  }

  /** Facts of a map from what is known of it; opens its BTF, not the map. */
  mapFacts(info: MapInfo): MapFacts {
    const { mapDetails } = this.#parts.kernel;
    const details = attempt(() => mapDetails.readOne(info.id));
    return this.mapFactsWith(info, details);
  }

  /** The same where what its info structure does not tell has been read. */
  mapFactsWith(info: MapInfo, details: MapFacts['details']): MapFacts {
    return { info, details, btf: info.btf_id === undefined ? undefined : this.#blobOf(info.btf_id) };
  }

  /**
   * Facts of a program; it is held while its instructions are read, and let go of before their calls are
   * looked up. Undefined where another has its id by now.
   */
  async programFacts(
    id: number,
    fingerprint: string | undefined,
  ): Promise<(ProgramFacts & { readonly fingerprint: string }) | undefined> {
    const { kernel } = this.#parts;
    const read = this.#readProgram(id, fingerprint);
    if (read === undefined) return undefined;
    const { info, image, fingerprint: found } = read;
    const loaded = 'value' in image ? await kernel.programs.findLoaded(image.value, info.tag) : undefined;
    return {
      fingerprint: found,
      info,
      image,
      loaded,
      btf: info.btf_id === undefined ? undefined : this.#blobOf(info.btf_id),
      expectedAttachType: attempt(() => this.#detailsOf(id)?.expectedAttachType),
      attachName: this.#attachName(info),
      maps: (info.map_ids ?? []).map((map) => this.#usedMap(map)),
      links: this.#linksOf(id),
    };
  }

  /**
   * One pass tells of all programs, and what a program was loaded with never changes. Ids are given out in a
   * circle of 2^31, so that none comes again while a gatherer is in use.
   */
  #detailsOf(id: number): ProgramDetails | undefined {
    const known = this.#programs?.get(id);
    if (known !== undefined) return known;
    this.#programs = this.#parts.kernel.programDetails.readAll().objects;
    return this.#programs.get(id);
  }

  #readProgram(
    id: number,
    fingerprint: string | undefined,
  ): (Pick<ProgramFacts, 'info' | 'image'> & { readonly fingerprint: string }) | undefined {
    using held = this.#parts.kernel.objects.holdById('program', id);
    if (held.info.kind !== 'program') return undefined;
    if (fingerprint !== undefined && held.fingerprint !== fingerprint) return undefined;
    return { info: held.info, image: attempt(() => readImage(held)), fingerprint: held.fingerprint };
  }

  #blobOf(id: number): Fact<Uint8Array> {
    const known = this.#blobs.get(id);
    if (known !== undefined) return known;
    const read = attempt(() => this.#readBlob(id));
    const fact = 'value' in read ? read.value : read;
    if (this.#blobs.size >= blobsMax) this.#blobs.clear();
    this.#blobs.set(id, fact);
    return fact;
  }

  /** The bytes, or why there are none to give. */
  #readBlob(id: number): Fact<Uint8Array> {
    const { objects, types } = this.#parts.kernel;
    using held = objects.holdById('btf', id);
    if (held.info.kind !== 'btf') return { missing: 'it went away meanwhile' };
    if (held.info.type !== 'user') return { missing: `its types are those of ${held.info.name}` };
    const { btf_size: bytes } = held.info;
    if (bytes > this.#bytesMax) return { missing: `its ${bytes} bytes are too many to be kept` };
    return { value: types.readBlob(held) };
  }

  #attachName({ attach_btf_obj_id: id, attach_btf_id: typeId }: ProgramInfo): ProgramFacts['attachName'] {
    if (id === undefined || typeId === undefined) return {};
    const { objects, types } = this.#parts.kernel;
    const names = attempt(() => {
      using held = objects.holdById('btf', id);
      const btf = held.info.kind === 'btf' ? held.info.name : '';
      return { ...(btf === '' ? {} : { btf }), type: types.read(held).nameOf(typeId) };
    });
    return 'value' in names ? names.value : {};
  }

  #usedMap(id: number): UsedMap {
    const known = this.#parts.inventory.objects.find('map', id);
    if (known?.info.kind !== 'map') return { id };
    const { type, name } = known.info;
    return { id, type, name, fingerprint: known.fingerprint };
  }

  #linksOf(program: number): readonly LinkInfo[] {
    const links: LinkInfo[] = [];
    for (const { info } of this.#parts.inventory.objects.entries('link')) {
      if (info.kind === 'link' && info.prog_id === program) links.push(info);
    }
    return links;
  }
}

/** What a reading gave; where it was refused or found nothing, why. @throws what is no refusal */
function attempt<Value>(read: () => Value | undefined): Fact<Value> {
  try {
    const value = read();
    return value === undefined ? { missing: 'it went away meanwhile' } : { value };
  } catch (error) {
    if (!isPinfoldError(error)) throw error;
    return { missing: error.message };
  }
}
