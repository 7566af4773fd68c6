import { Counter, Gauge, type Registry } from 'prom-client';
import { escapeName } from '../model/escape.ts';
import { bytesOf } from '../model/path.ts';
import type { PinSample, SelectedPinSamples, Statistics } from '../model/statistics.ts';

/** How series of pins are made. */
export interface PinSeriesOptions {
  /** Where an instance is mounted, printable. */
  readonly pathOf: (mount: string) => string;
  /** Series of all pins together; a pin whose series do not all fit has none. */
  readonly seriesMax: number;
}

const place = ['mount', 'path'] as const;
type Place = Record<(typeof place)[number], string>;

/**
 * Series of the pins that the configuration selects, by mount path and pin path: those stay when the object
 * behind a name is another one. Answers what brings them up to date, to be called before a scrape is written.
 */
export function collectSelectedPins(
  registry: Registry,
  numbers: Statistics,
  options: PinSeriesOptions,
): () => void {
  const series = makeSeries(registry);
  const selected = new Gauge({
    name: 'pinfold_pins_selected',
    help: 'Pins that the configuration selects for series of their own.',
    registers: [registry],
  });
  const dropped = new Counter({
    name: 'pinfold_pin_series_dropped_total',
    help: 'Series of selected pins that were left out of scrapes, because there were more than allowed.',
    registers: [registry],
  });
  let last: SelectedPinSamples | undefined;
  let places = '';
  let droppedAtPlaces = 0;
  return () => {
    const found = numbers.selectedPins(options.seriesMax);
    selected.set(found.selected);
    // The same answer at the same places makes the same series: they are there from the last scrape.
    const mounts = [...new Set(found.samples.map(({ mount }) => mount))].map(options.pathOf).join('\n');
    if (found === last && mounts === places) return dropped.inc(found.seriesDropped + droppedAtPlaces);
    [last, places, droppedAtPlaces] = [found, mounts, 0];
    for (const metric of series.all) metric.reset();
    const told = new Set<string>();
    for (const pin of found.samples) {
      const at = { mount: options.pathOf(pin.mount), path: escapeName(bytesOf(pin.path)) };
      const key = JSON.stringify([at.mount, at.path]);
      // An instance of another namespace at the same path must not write over the numbers of the first.
      if (told.has(key)) droppedAtPlaces += seriesOf(pin);
      else series.put(pin, at);
      told.add(key);
    }
    dropped.inc(found.seriesDropped + droppedAtPlaces);
  };
}

/** How many series a pin makes. */
function seriesOf(pin: PinSample): number {
  const { entries, maxEntries, runs, runSeconds, recursionMisses } = pin;
  const single = [entries, maxEntries, runs, runSeconds, recursionMisses];
  return 1 + pin.references.length + single.filter((value) => value !== undefined).length;
}

function makeSeries(registry: Registry) {
  const registers = [registry];
  const gauge = <Label extends string>(name: string, help: string, labels: readonly Label[]) =>
    new Gauge({ name, help, labelNames: [...place, ...labels], registers });
  const counter = (name: string, help: string) =>
    new Counter({ name, help, labelNames: [...place], registers });
  const info = gauge('pinfold_pin_info', 'Always 1; what a selected pin holds.', [
    'kind',
    'type',
    'name',
    'owner',
  ]);
  const references = gauge('pinfold_pin_references', 'References on what the pin holds, by who holds it.', [
    'holder',
  ]);
  const entries = gauge('pinfold_pin_map_entries', 'Entries of a pinned hash map, seconds ago.', []);
  const maxEntries = gauge('pinfold_pin_map_max_entries', 'How many entries fit into a pinned map.', []);
  const runs = counter('pinfold_pin_program_runs_total', 'How often a pinned program ran while measured.');
  const seconds = counter(
    'pinfold_pin_program_run_seconds_total',
    'How long a pinned program ran while measured.',
  );
  const misses = counter(
    'pinfold_pin_program_recursion_misses_total',
    'How often a pinned program was not run because it already was.',
  );
  return {
    all: [info, references, entries, maxEntries, runs, seconds, misses],
    put: (pin: PinSample, at: Place): void => {
      const { kind, type, name, owner } = pin;
      info.set({ ...at, kind, type, name, owner }, 1);
      for (const { holder, count } of pin.references) references.set({ ...at, holder }, count);
      if (pin.entries !== undefined) entries.set(at, pin.entries);
      if (pin.maxEntries !== undefined) maxEntries.set(at, pin.maxEntries);
      if (pin.runs !== undefined) runs.inc(at, pin.runs);
      if (pin.runSeconds !== undefined) seconds.inc(at, pin.runSeconds);
      if (pin.recursionMisses !== undefined) misses.inc(at, pin.recursionMisses);
    },
  };
}
