import type { Kernel } from '../../kernel/kernel.ts';
import type { Clock } from '../../model/clock.ts';
import { PinfoldError } from '../../model/error.ts';
import { countsEntries } from '../../model/finding/world.ts';
import type { Json } from '../../model/json.ts';
import { limits } from '../../model/limits.ts';
import type { CountMethod, EntryChoice } from '../../model/schema/entry.ts';
import type { Observed, Slice } from '../agent.ts';
import { halves } from '../dump/halves.ts';
import type { DumpPool } from '../dump/pool.ts';
import type { JobSummary, Task } from '../dump/protocol.ts';
import type { RunningJob } from '../dump/running-job.ts';
import { sideBySide, splitPositions } from '../dump/side-by-side.ts';

/** What reading map contents needs. */
export interface EntriesParts {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly pool: DumpPool;
  /** `--pins-only`: maps cannot be opened by their ids. */
  readonly isPinsOnly: boolean;
}

/** JSON text from a reading thread, and what the reading came to. */
export interface ReadText {
  readonly text: Buffer;
  readonly summary: JobSummary;
}

/**
 * A dump that has begun: pieces of text, one entry a line, then its summary. Each piece is lent and changes
 * once the next is asked for.
 */
export interface Dump {
  readonly pieces: AsyncGenerator<Uint8Array, JobSummary, undefined>;
  /** To be called where `pieces` is not read to its end. */
  cancel(): void;
  /** Calls when the place of a dump whose reader takes nothing is given to another. */
  onCut(listener: () => void): void;
}

/** How many entries a map has, and how that was found out. */
export interface EntryTotal extends Pick<JobSummary, 'count' | 'complete' | 'consistency'> {
  readonly maxEntries: number;
  readonly method: CountMethod;
}

/** A job as a part of a dump: of which it shares the place, and a part of what it may come to. */
interface Part {
  readonly of: RunningJob | undefined;
  readonly parts: number;
}

/** What a dump should be like. */
export interface DumpOptions {
  readonly after: string | undefined;
  readonly limit: number | undefined;
  /** Entries of maps inside of the map stand in its entries. */
  readonly follow: boolean;
}

/**
 * Reads what is in maps. Each answer is made in a thread that reads; the map is held on this one until that
 * thread is done with it.
 */
export class MapEntries {
  readonly #parts: EntriesParts;

  constructor(parts: EntriesParts) {
    this.#parts = parts;
  }

  /**
   * A page: the items as text, with commas between them.
   * @throws PinfoldError object_not_found, not_readable, not_supported, invalid_input, too_many_requests
   */
  async page(mapId: number, choice: EntryChoice, slice: Slice): Promise<Observed<ReadText>> {
    const { after, limit } = slice;
    return await this.#read(mapId, choice, { kind: 'page', limit, ...positionOf(after) });
  }

  /** Begins to read everything; a refusal comes before the first piece. @throws PinfoldError as `page` */
  async dump(mapId: number, choice: EntryChoice, options: DumpOptions): Promise<Observed<Dump>> {
    const { limit = limits.dumpRowsMax, follow } = options;
    const observedAt = this.#parts.clock.now();
    const positions = this.#divide(mapId, options);
    // Where only so many rows are wanted, parts are read one after the other.
    const atOnce = options.limit === undefined ? positions.length : 1;
    const later = positions.slice(atOnce);
    const rowsMax = Math.floor(Math.min(limit, limits.dumpRowsMax) / atOnce);
    const task = { kind: 'stream', rowsMax, follow } as const;
    const jobs = this.#startParts(mapId, choice, task, positions.slice(0, atOnce));
    const cancel = (): void => {
      for (const job of jobs) job.cancel();
    };
    try {
      await Promise.all(jobs.map(async (job) => await job.begun()));
    } catch (error) {
      cancel();
      throw error;
    }
    const onCut = (listener: () => void): void => {
      for (const job of jobs) job.onCut(listener);
    };
    return { value: { pieces: sideBySide(jobs, later), cancel, onCut }, observedAt };
  }

  /** Where the parts of a dump begin: two where the map can be divided and a second thread is free. */
  #divide(mapId: number, { after, limit, follow }: DumpOptions): readonly (string | undefined)[] {
    if (after !== undefined) return splitPositions(after);
    const { kernel, pool, isPinsOnly } = this.#parts;
    if (isPinsOnly || limit !== undefined || follow || pool.size > 0) return [undefined];
    using held = kernel.objects.holdById('map', mapId);
    return halves(held, kernel.facts.cpus.possible);
  }

  /** @throws PinfoldError as `page`; then none of them has been started, or all are cancelled */
  #startParts(
    mapId: number,
    choice: EntryChoice,
    task: Task & { readonly kind: 'stream' },
    positions: readonly (string | undefined)[],
  ): readonly RunningJob[] {
    const jobs: RunningJob[] = [];
    try {
      for (const position of positions) {
        const part = { of: jobs[0], parts: positions.length };
        jobs.push(this.#start(mapId, choice, { ...task, ...positionOf(position) }, part));
      }
      return jobs;
    } catch (error) {
      for (const job of jobs) job.cancel();
      throw error;
    }
  }

  /** One entry by its key. @throws PinfoldError entry_not_found, and as `page` */
  async entry(
    mapId: number,
    choice: EntryChoice,
    key: { readonly hex: string } | { readonly json: Json },
  ): Promise<Observed<ReadText>> {
    return await this.#read(mapId, choice, { kind: 'entry', key });
  }

  /**
   * How many entries there are: as the kernel counts them where it does, so that no map is read for that.
   * @throws PinfoldError as `page`
   */
  async count(mapId: number): Promise<Observed<EntryTotal>> {
    const counted = this.#parts.isPinsOnly ? undefined : this.#countedByKernel(mapId);
    if (counted !== undefined) return counted;
    const { value, observedAt } = await this.#read(mapId, {}, { kind: 'count' });
    const { maxEntries, summary } = value;
    return { value: { ...summary, maxEntries, method: summary.method ?? 'read' }, observedAt };
  }

  #countedByKernel(mapId: number): Observed<EntryTotal> | undefined {
    const { kernel, clock } = this.#parts;
    const observedAt = clock.now();
    const info = kernel.objects.describe('map', mapId)?.info;
    if (info?.kind !== 'map' || !countsEntries(info.type)) return undefined;
    if (kernel.entryCounts.unavailable !== undefined) return undefined;
    const count = kernel.entryCounts.readAll().get(mapId);
    if (count === undefined) return undefined;
    const { max_entries: maxEntries } = info;
    const method = 'kernel_counter';
    return { value: { count, maxEntries, method, complete: true, consistency: 'per_bucket' }, observedAt };
  }

  /** The head of a queue or stack, which stays. @throws PinfoldError entry_not_found, and as `page` */
  async peek(mapId: number, choice: EntryChoice): Promise<Observed<ReadText>> {
    return await this.#read(mapId, choice, { kind: 'peek' });
  }

  async #read(
    mapId: number,
    choice: EntryChoice,
    task: Task,
  ): Promise<Observed<ReadText & { readonly maxEntries: number }>> {
    const observedAt = this.#parts.clock.now();
    const job = this.#start(mapId, choice, task);
    const pieces: Uint8Array[] = [];
    for (let piece = await job.next(); piece !== undefined; piece = await job.next()) {
      pieces.push(Uint8Array.from(piece));
    }
    const { maxEntries } = job;
    return { value: { text: Buffer.concat(pieces), summary: job.summary(), maxEntries }, observedAt };
  }

  #start(
    mapId: number,
    choice: EntryChoice,
    task: Task,
    part: Part = { of: undefined, parts: 1 },
  ): RunningJob {
    const { kernel, pool, isPinsOnly } = this.#parts;
    if (isPinsOnly) {
      throw new PinfoldError('not_supported', {
        detail: 'The agent runs with --pins-only, and a map is read by its id.',
      });
    }
    const held = kernel.objects.holdById('map', mapId);
    const bounds = { bytesMax: limits.dumpBytesMax / part.parts, ms: limits.dumpMs };
    return pool.start(held, { possibleCpus: kernel.facts.cpus.possible, choice, task, bounds }, part.of);
  }
}

function positionOf(after: string | undefined): { readonly position?: string } {
  return after === undefined ? {} : { position: after };
}

/** What the API asks of it. */
export type EntryReads = Pick<MapEntries, keyof MapEntries>;
