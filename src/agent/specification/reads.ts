import type { Kernel } from '../../kernel/kernel.ts';
import type { Clock } from '../../model/clock.ts';
import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import { pathMembers } from '../../model/path.ts';
import type { EntryInput, MapSpecification } from '../../model/schema/map-specification.ts';
import type {
  ProgramSpecification,
  SpecifiedKind,
  StoredSpecificationItem,
} from '../../model/schema/specification.ts';
import type { ObjectRecord, SpecificationLine, SpecificationQuery, Store } from '../../model/store.ts';
import type { Page, Slice } from '../agent.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { EntryReads } from '../reads/entries.ts';
import { Gatherer } from './gather.ts';
import { lackingEntries, type MapFacts, mapSpecification, type Origin } from './of-map.ts';
import { programSpecification } from './of-program.ts';
import { parseStoredMap, parseStoredProgram } from './stored.ts';

/** What answers are made from. */
export interface SpecificationParts {
  readonly kernel: Kernel;
  readonly store: Store;
  readonly clock: Clock;
  readonly inventory: Inventory;
  readonly entries: Pick<EntryReads, 'page'>;
  readonly isPinsOnly: boolean;
}

/** Which object is meant, where its id may have been given to another since. */
export interface SpecifiedChoice {
  readonly id: number;
  readonly fingerprint?: string;
}

/** What maps and programs were made with: from the kernel while they are there, then from the store. */
export class AgentSpecifications {
  readonly #parts: SpecificationParts;

  constructor(parts: SpecificationParts) {
    this.#parts = parts;
  }

  /**
   * A map's, with up to `entriesMax` of its entries where they are wanted and can be read.
   *
   * @throws PinfoldError object_not_found where it is not there and nothing is stored, not_supported
   */
  async map(choice: SpecifiedChoice, entriesMax?: number): Promise<MapSpecification> {
    const facts = this.#mapFacts(choice);
    if (facts === undefined) return this.#storedMap(choice, entriesMax !== undefined);
    const specification = mapSpecification(facts, this.#originOf('map', choice.id, facts.fingerprint));
    if (entriesMax !== undefined) return await this.#withEntries(specification, choice.id, entriesMax);
    if (specification.freeze !== true) return specification;
    return lackingEntries(specification, 'they were not asked for (?entries=true)');
  }

  /** A program's. @throws PinfoldError object_not_found, not_supported */
  async program(choice: SpecifiedChoice): Promise<ProgramSpecification> {
    this.#assertUsesIds();
    const read = await this.#readProgram(choice);
    return read ?? this.#storedProgram(choice);
  }

  /** Everything that is stored, newest first. @throws PinfoldError bad_cursor */
  list(
    query: Omit<SpecificationQuery, 'limit' | 'before'>,
    { after, limit }: Slice,
  ): Page<StoredSpecificationItem> {
    const { specifications } = this.#parts.store;
    if (after !== undefined && !/^[1-9]\d{0,14}$/.test(after)) throw new PinfoldError('bad_cursor');
    const before = after === undefined ? {} : { before: Number(after) };
    const lines = specifications.list({ ...query, ...before, limit: limit + 1 });
    const items = lines.slice(0, limit);
    return {
      items: items.map(itemOf),
      next: lines.length > limit ? String(items.at(-1)?.seq) : undefined,
      total: specifications.count(query),
    };
  }

  #mapFacts({ id, fingerprint }: SpecifiedChoice): (MapFacts & { readonly fingerprint: string }) | undefined {
    this.#assertUsesIds();
    const { kernel } = this.#parts;
    const described = kernel.objects.isOwn('map', id) ? undefined : kernel.objects.describe('map', id);
    if (described?.info.kind !== 'map') return undefined;
    if (fingerprint !== undefined && described.fingerprint !== fingerprint) return undefined;
    const gatherer = new Gatherer(this.#parts, limits.entryBytesMax);
    return { ...gatherer.mapFacts(described.info), fingerprint: described.fingerprint };
  }

  async #readProgram({ id, fingerprint }: SpecifiedChoice): Promise<ProgramSpecification | undefined> {
    try {
      const gatherer = new Gatherer(this.#parts, limits.entryBytesMax);
      const facts = await gatherer.programFacts(id, fingerprint);
      if (facts === undefined) return undefined;
      return programSpecification(facts, this.#originOf('program', id, facts.fingerprint));
    } catch (error) {
      if (isPinfoldError(error, 'object_not_found')) return undefined;
      throw error;
    }
  }

  #originOf(kind: SpecifiedKind, id: number, fingerprint: string): Origin {
    const known = this.#parts.inventory.objects.find(kind, id);
    return {
      kind,
      id,
      fingerprint,
      state: 'present',
      read_at: this.#parts.clock.now().toISOString(),
      ...(known?.fingerprint === fingerprint ? { first_seen: known.firstSeen } : {}),
    };
  }

  async #withEntries(specification: MapSpecification, id: number, limit: number): Promise<MapSpecification> {
    if (specification.type === 'struct_ops') {
      return lackingEntries(specification, 'its value has addresses of the kernel, which are not written');
    }
    try {
      const { entries, isWhole } = await this.#readEntries(id, limit);
      const { about, ...shape } = specification;
      const contents = { format: 'raw' as const, entries: [...entries] };
      const whole = { ...shape, ...contents, ...(about === undefined ? {} : { about }) };
      const rest = `the others are read with GET /v1/maps/${id}/entries`;
      const reason = `these are the first ${entries.length}; ${rest}`;
      return isWhole ? whole : lackingEntries(whole, reason);
    } catch (error) {
      if (!isPinfoldError(error, 'not_readable') && !isPinfoldError(error, 'not_supported')) throw error;
      return lackingEntries(specification, error.message);
    }
  }

  /** Up to so many entries; a page may have fewer than it could, because it is read bucket by bucket. */
  async #readEntries(
    id: number,
    limit: number,
  ): Promise<{ readonly entries: readonly EntryInput[]; readonly isWhole: boolean }> {
    const entries: EntryInput[] = [];
    let after: string | undefined;
    let isEmpty = false;
    do {
      const slice = { after, limit: limit - entries.length };
      const { value } = await this.#parts.entries.page(id, { format: 'raw' }, slice);
      const items = parseEntries(value.text);
      entries.push(...items);
      isEmpty = items.length === 0;
      after = value.summary.next;
    } while (after !== undefined && !isEmpty && entries.length < limit);
    return { entries, isWhole: after === undefined };
  }

  #storedMap(choice: SpecifiedChoice, wantsEntries: boolean): MapSpecification {
    const { object, stored, origin } = this.#find('map', choice);
    const missing = 'it was gone before that could be read';
    const whole =
      stored === undefined && object.info.kind === 'map'
        ? mapSpecification(
            {
              info: object.info,
              details: { missing },
              btf: object.info.btf_id === undefined ? undefined : { missing },
            },
            origin,
          )
        : parseStoredMap({ document: stored?.document, parts: stored?.parts ?? {} });
    const dated = { ...whole, about: { ...origin, not_recoverable: whole.about?.not_recoverable ?? [] } };
    if (!wantsEntries && whole.freeze !== true) return dated;
    return lackingEntries(dated, 'what was in it went with it');
  }

  #storedProgram(choice: SpecifiedChoice): ProgramSpecification {
    const { object, stored, origin } = this.#find('program', choice);
    const missing = 'it was gone before that could be read';
    if (stored === undefined && object.info.kind === 'program') {
      const { info } = object;
      const fact = { missing };
      const btf = info.btf_id === undefined ? undefined : fact;
      const maps = (info.map_ids ?? []).map((id) => ({ id }));
      const facts = { info, image: fact, loaded: undefined, btf, expectedAttachType: fact };
      return programSpecification({ ...facts, attachName: {}, maps, links: [] }, origin);
    }
    const whole = parseStoredProgram({ document: stored?.document, parts: stored?.parts ?? {} });
    return { ...whole, about: { ...whole.about, ...origin } };
  }

  /** What is stored of an object that the kernel does not have. @throws PinfoldError object_not_found */
  #find(kind: SpecifiedKind, { id, fingerprint }: SpecifiedChoice) {
    const found = this.#parts.store.specifications.find(kind, id, fingerprint);
    if (found === undefined) {
      const which = fingerprint === undefined ? '' : ' with that fingerprint';
      const detail = `There is no ${kind} ${id}${which}, and none is remembered.`;
      throw new PinfoldError('object_not_found', { detail, kind, id });
    }
    const { object, specification } = found;
    return { object, stored: specification, origin: goneOrigin(kind, object, specification?.recordedAt) };
  }

  /** @throws PinfoldError not_supported with --pins-only */
  #assertUsesIds(): void {
    if (!this.#parts.isPinsOnly) return;
    const detail = 'This agent runs with --pins-only, and specifications are asked for by id.';
    throw new PinfoldError('not_supported', { detail });
  }
}

/** The items of a page, which the reading thread has written as text. */
function parseEntries(text: Buffer): readonly EntryInput[] {
  return JSON.parse(`[${text.toString()}]`) as EntryInput[];
}

/** What the API asks of it. */
export type Specifications = Pick<AgentSpecifications, keyof AgentSpecifications>;

function goneOrigin(kind: SpecifiedKind, object: ObjectRecord, readAt: string | undefined): Origin {
  const { id, fingerprint, firstSeen, goneAt } = object;
  return {
    kind,
    id,
    fingerprint,
    state: 'gone',
    first_seen: firstSeen,
    ...(readAt === undefined ? {} : { read_at: readAt }),
    ...(goneAt === null ? {} : { gone_at: goneAt }),
  };
}

function itemOf({ object, recordedAt, pins }: SpecificationLine): StoredSpecificationItem {
  const { kind, id, fingerprint, info, firstSeen, goneAt } = object;
  return {
    kind: kind === 'program' ? 'program' : 'map',
    id,
    fingerprint,
    type: info.type,
    name: 'name' in info ? (info.name ?? '') : '',
    state: goneAt === null ? 'present' : 'gone',
    first_seen: firstSeen,
    recorded_at: recordedAt,
    ...(goneAt === null ? {} : { gone_at: goneAt }),
    pins: pins.map(({ mount, path }) => ({ mount, ...pathMembers(path) })),
  };
}
