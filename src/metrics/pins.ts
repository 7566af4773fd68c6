import { Counter, Gauge, type Registry } from 'prom-client';
import { limits } from '../model/limits.ts';
import type { Statistics } from '../model/statistics.ts';

/** How mounts are named, and how many have series. */
export interface PinCountOptions {
  readonly pathOf: (mount: string) => string;
  readonly mountsMax?: number;
}

/** Where pins are counted whose mount has no series of its own; a path begins with a slash. */
const others = 'other';

/**
 * Pins by the path of their mount and by kind; a path says more to people than a device number, which is
 * reused. Only so many mounts have series of their own, ours before those of other mount namespaces.
 */
export function collectPins(
  registry: Registry,
  numbers: Statistics,
  { pathOf, mountsMax = limits.mountSeriesMax }: PinCountOptions,
): void {
  const dropped = new Counter({
    name: 'pinfold_mount_series_dropped_total',
    help: 'Mounts whose pins scrapes counted as those of mount="other", because there were too many.',
    registers: [registry],
  });
  new Gauge({
    name: 'pinfold_pins',
    help: 'Pins in the bpffs instances of this node at the last observation.',
    labelNames: ['mount', 'kind'],
    registers: [registry],
    collect() {
      this.reset();
      const counts = numbers.pinCounts().map(({ mount, ...count }) => ({ path: pathOf(mount), ...count }));
      const paths = [...new Set(counts.map(({ path }) => path))].toSorted(byPlace);
      const shown = new Set(paths.slice(0, mountsMax));
      for (const { path, kind, count } of counts) {
        this.inc({ mount: shown.has(path) ? path : others, kind }, count);
      }
      dropped.inc(paths.length - shown.size);
    },
  });
}

/** Paths of our own namespace first (see mountLabel), each part in the order of names. */
function byPlace(one: string, other: string): number {
  const [first, second] = [one, other].map((path) => `${path.endsWith(')') ? 1 : 0}${path}`);
  return (first ?? '') < (second ?? '') ? -1 : 1;
}
