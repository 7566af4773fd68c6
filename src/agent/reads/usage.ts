import type { Kernel } from '../../kernel/kernel.ts';
import type { Clock } from '../../model/clock.ts';
import { PinfoldError } from '../../model/error.ts';
import { countsEntries } from '../../model/finding/world.ts';
import { pathMembers } from '../../model/path.ts';
import type { MapInfo } from '../../model/schema/map-info.ts';
import type { ProgramInfo } from '../../model/schema/program-info.ts';
import type { MapOrder, MapUsage, ProgramUsage, TopMaps, TopPrograms } from '../../model/schema/usage.ts';
import type { Inventory } from '../inventory/inventory.ts';
import { Pace } from '../observer/pace.ts';
import { measuringTime } from './measuring-time.ts';

/** What measuring everything needs. */
export interface UsageParts {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly inventory: Inventory;
  readonly isPinsOnly: boolean;
}

/** Who takes most: all objects are read from the kernel for each answer, in slices. */
export class AgentUsage {
  readonly #parts: UsageParts;

  constructor(parts: UsageParts) {
    this.#parts = parts;
  }

  /**
   * The programs that run longest while the kernel measures, which it does no longer than this takes.
   *
   * @throws PinfoldError not_supported, not_ready where the signal cut it short
   */
  async programs(
    { durationMs, limit }: { readonly durationMs: number; readonly limit: number },
    signal: AbortSignal,
  ): Promise<TopPrograms> {
    this.#assertUsesIds();
    const { kernel, clock } = this.#parts;
    using _measuring = kernel.programs.holdStatistics();
    const before = await this.#readPrograms();
    const startedAt = clock.monotonicMs();
    await measuringTime(durationMs, signal);
    const after = await this.#readPrograms();
    const spentMs = clock.monotonicMs() - startedAt;
    const used = [...after].flatMap(([key, info]) => {
      const earlier = before.get(key);
      return earlier === undefined ? [] : [this.#programUsage(earlier, info, spentMs)];
    });
    used.sort((one, other) => other.run_time_ns - one.run_time_ns || one.id - other.id);
    return {
      items: used.slice(0, limit),
      duration_ms: Math.round(spentMs),
      total: used.length,
      observed_at: clock.now().toISOString(),
    };
  }

  /** The maps that take most memory, or are fullest. @throws PinfoldError not_supported */
  async maps({ by, limit }: { readonly by: MapOrder; readonly limit: number }): Promise<TopMaps> {
    this.#assertUsesIds();
    const { kernel, clock } = this.#parts;
    const { unavailable } = kernel.entryCounts;
    const counts = unavailable === undefined ? kernel.entryCounts.readAll() : new Map<number, number>();
    const maps = (await this.#readMaps()).map((info) => this.#mapUsage(info, counts));
    const weight = (map: MapUsage): number => (by === 'fill' ? map.fill : map.memory_bytes) ?? -1;
    maps.sort((one, other) => weight(other) - weight(one) || one.id - other.id);
    return {
      items: maps.slice(0, limit),
      memory_bytes: maps.reduce((sum, { memory_bytes: bytes = 0 }) => sum + bytes, 0),
      total: maps.length,
      ...(unavailable === undefined ? {} : { fill_unknown: unavailable }),
      observed_at: clock.now().toISOString(),
    };
  }

  /** By fingerprint, because another program may have the id at the second reading. */
  async #readPrograms(): Promise<ReadonlyMap<string, ProgramInfo>> {
    const programs = new Map<string, ProgramInfo>();
    const pace = new Pace(this.#parts.clock);
    for (const id of this.#idsOf('program')) {
      const described = this.#parts.kernel.objects.describe('program', id);
      if (described?.info.kind === 'program') programs.set(`${id} ${described.fingerprint}`, described.info);
      await pace.restIfOver();
    }
    return programs;
  }

  async #readMaps(): Promise<readonly MapInfo[]> {
    const maps: MapInfo[] = [];
    const pace = new Pace(this.#parts.clock);
    for (const id of this.#idsOf('map')) {
      const info = this.#parts.kernel.objects.describe('map', id)?.info;
      if (info?.kind === 'map') maps.push(info);
      await pace.restIfOver();
    }
    return maps;
  }

  #idsOf(kind: 'map' | 'program'): readonly number[] {
    return [...this.#parts.inventory.objects.entries(kind)].map(({ id }) => id);
  }

  #programUsage(before: ProgramInfo, after: ProgramInfo, spentMs: number): ProgramUsage {
    const runs = (after.run_cnt ?? 0) - (before.run_cnt ?? 0);
    const timeNs = (after.run_time_ns ?? 0) - (before.run_time_ns ?? 0);
    const { id, type, name, tag } = after;
    return {
      id,
      type,
      name,
      tag,
      pins: this.#pinsOf('program', id),
      run_cnt: runs,
      run_time_ns: timeNs,
      ...(runs > 0 ? { average_ns: Math.round(timeNs / runs) } : {}),
      cpu: timeNs / (spentMs * 1e6),
    };
  }

  #mapUsage(info: MapInfo, counts: ReadonlyMap<number, number>): MapUsage {
    const { id, type, name, max_entries: most, memlock } = info;
    const entries = countsEntries(type) ? counts.get(id) : undefined;
    return {
      id,
      type,
      name,
      pins: this.#pinsOf('map', id),
      max_entries: most,
      ...(memlock === undefined ? {} : { memory_bytes: memlock }),
      ...(entries === undefined ? {} : { entries, fill: most === 0 ? 0 : entries / most }),
    };
  }

  #pinsOf(kind: 'map' | 'program', id: number): MapUsage['pins'] {
    const pins = this.#parts.inventory.pinsOf(kind, id);
    return pins.map(({ mount, path }) => ({ mount, ...pathMembers(path) }));
  }

  /** @throws PinfoldError not_supported with --pins-only */
  #assertUsesIds(): void {
    if (!this.#parts.isPinsOnly) return;
    const detail = 'This agent runs with --pins-only and never uses ids: it cannot read all objects.';
    throw new PinfoldError('not_supported', { detail });
  }
}

/** What the API asks of it. */
export type UsageReads = Pick<AgentUsage, keyof AgentUsage>;
