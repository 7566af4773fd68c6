import type { Kernel } from '../../kernel/kernel.ts';
import type { Clock } from '../../model/clock.ts';
import { isSelected, type PinSelection } from '../../model/finding/selection.ts';
import { countsEntries } from '../../model/finding/world.ts';
import { limits } from '../../model/limits.ts';
import type { PinSample, SelectedPinSamples } from '../../model/statistics.ts';
import type { PinEntry } from '../inventory/entry.ts';
import type { Inventory } from '../inventory/inventory.ts';
import { Pace } from '../observer/pace.ts';
import { revisionsOf } from './inventory-counts.ts';
import { ReferenceTally } from './reference-tally.ts';
import { Remembered } from './remembered.ts';

/** What selected pins are sampled with. */
export interface SelectedPinsParts {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly inventory: Inventory;
  readonly selection: PinSelection;
}

/** How a program ran since it was loaded, as far as the kernel measured. */
type Runs = Pick<PinSample, 'runs' | 'runSeconds' | 'recursionMisses'>;

const nothing: SelectedPinSamples = { samples: [], selected: 0, seriesDropped: 0 };

/** Pins that have metrics of their own, with samples a few seconds old. */
export class SelectedPins {
  readonly #parts: SelectedPinsParts;
  #entries: ReadonlyMap<number, number> = new Map();
  #runs: ReadonlyMap<number, Runs> = new Map();
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #dueAtMs = Number.NEGATIVE_INFINITY;
  readonly #pins = new Remembered<readonly PinEntry[]>();
  readonly #taken = new Remembered<SelectedPinSamples>();

  constructor(parts: SelectedPinsParts) {
    this.#parts = parts;
  }

  /**
   * Selected pins in the order of mounts and paths, as long as their series fit; from memory, and the same
   * answer where nothing has moved since the last. Samples go on while this is called.
   */
  take(seriesMax: number): SelectedPinSamples {
    const { selection, clock, inventory } = this.#parts;
    if (selection.selectors.length === 0) return nothing;
    this.#askedAtMs = clock.monotonicMs();
    const from = [...revisionsOf(inventory), this.#entries, this.#runs, seriesMax];
    return this.#taken.of(from, () => this.#sample(seriesMax));
  }

  #sample(seriesMax: number): SelectedPinSamples {
    const { inventory } = this.#parts;
    const tally = new ReferenceTally(inventory);
    const samples: PinSample[] = [];
    let [selected, seriesKept, seriesDropped] = [0, 0, 0];
    for (const pin of this.#selected()) {
      selected++;
      const series = this.#seriesOf(pin);
      // Once one does not fit, none does: which pins are shown depends on their order alone.
      if (seriesDropped > 0 || seriesKept + series > seriesMax) seriesDropped += series;
      else {
        seriesKept += series;
        samples.push(this.#sampleOf(pin, tally));
      }
    }
    return { samples, selected, seriesDropped };
  }

  /** How many series a sample of a pin makes, without making one. */
  #seriesOf({ object: { kind, id, type } }: PinEntry): number {
    const { objects } = this.#parts.inventory;
    const hasCounters = objects.countersAt(kind)?.has(id) === true;
    const isKnown = objects.find(kind, id) !== undefined;
    switch (kind) {
      case 'map':
        return (
          1 + (hasCounters ? 4 : 2) + (isKnown ? 1 : 0) + (this.#entriesOf(type, id) === undefined ? 0 : 1)
        );
      case 'program':
        return 1 + (hasCounters ? 3 : 2) + Object.keys(this.#runs.get(id) ?? {}).length;
      case 'link':
        return 1 + (hasCounters ? 2 : 1);
    }
  }

  #entriesOf(type: string, id: number): number | undefined {
    return countsEntries(type) ? this.#entries.get(id) : undefined;
  }

  /** Called when a pass of the observer is over: samples what is due, if anybody asks for it. */
  async afterPass(): Promise<void> {
    const { clock, kernel, selection } = this.#parts;
    const now = clock.monotonicMs();
    const isAsked = now - this.#askedAtMs < limits.pinSamplesKeptMs;
    if (selection.selectors.length === 0 || !isAsked || now < this.#dueAtMs) return;
    const pins = this.#selected();
    const pace = new Pace(clock);
    if (kernel.entryCounts.unavailable === undefined && pins.some(({ object }) => object.kind === 'map'))
      this.#entries = kernel.entryCounts.readAll();
    const programs = pins.flatMap(({ object }) => (object.kind === 'program' ? object.id : []));
    const runs = new Map<number, Runs>();
    for (const id of new Set(programs)) {
      const info = kernel.objects.describe('program', id)?.info;
      if (info?.kind === 'program') runs.set(id, runsOf(info));
      await pace.restIfOver();
    }
    this.#runs = runs;
    this.#dueAtMs = clock.monotonicMs() + limits.findingsIntervalMs;
  }

  #selected(): readonly PinEntry[] {
    const { inventory, selection } = this.#parts;
    return this.#pins.of([inventory.revision], () =>
      [...inventory.mounts()].flatMap((names) =>
        [...names.pinPaths.items()].flatMap((path) => {
          const pin = names.findPin(path);
          return pin !== undefined && isSelected(selection, pin) ? pin : [];
        }),
      ),
    );
  }

  #sampleOf({ mount, path, object, annotations }: PinEntry, tally: ReferenceTally): PinSample {
    const { kind, id, type, name } = object;
    const info = this.#parts.inventory.objects.find(kind, id)?.info;
    const references = Object.entries(tally.of(kind, id));
    const entries = kind === 'map' ? this.#entriesOf(type, id) : undefined;
    return {
      mount,
      path,
      kind,
      type,
      name,
      owner: annotations.owner ?? '',
      references: references.map(([holder, count]) => ({ holder, count })),
      ...(entries === undefined ? {} : { entries }),
      ...(info?.kind === 'map' ? { maxEntries: info.max_entries } : {}),
      ...(kind === 'program' ? this.#runs.get(id) : {}),
    };
  }
}

function runsOf(info: {
  readonly run_cnt?: number;
  readonly run_time_ns?: number;
  readonly recursion_misses?: number;
}): Runs {
  const { run_cnt, run_time_ns, recursion_misses } = info;
  return {
    ...(run_cnt === undefined ? {} : { runs: run_cnt }),
    ...(run_time_ns === undefined ? {} : { runSeconds: run_time_ns / 1e9 }),
    ...(recursion_misses === undefined ? {} : { recursionMisses: recursion_misses }),
  };
}
