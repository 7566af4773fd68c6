import { Gauge, type Registry } from 'prom-client';
import type { Statistics } from '../model/statistics.ts';

/**
 * Pins by the path of their mount and by kind; a path says more to people than a device number, which is
 * reused.
 */
export function collectPins(
  registry: Registry,
  numbers: Statistics,
  pathOf: (mount: string) => string,
): void {
  new Gauge({
    name: 'pinfold_pins',
    help: 'Pins in the bpffs instances of this node at the last observation.',
    labelNames: ['mount', 'kind'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { mount, kind, count } of numbers.pinCounts())
        this.inc({ mount: pathOf(mount), kind }, count);
    },
  });
}
