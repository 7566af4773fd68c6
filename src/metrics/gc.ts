import { Counter, Gauge, type Registry } from 'prom-client';
import type { Statistics } from '../model/statistics.ts';

const actions = ['quarantined', 'restored', 'discarded'] as const;

/** What became of pins that nobody seemed to need, and how many wait for the end of their time. */
export function collectGc(registry: Registry, numbers: Pick<Statistics, 'quarantine'>): void {
  new Counter({
    name: 'pinfold_gc_pins_total',
    help: 'Pins that went into quarantine, got their names back, and were unlinked for good.',
    labelNames: ['action'],
    registers: [registry],
    collect(): void {
      const now = numbers.quarantine();
      this.reset();
      for (const action of actions) this.inc({ action }, now[action]);
    },
  });
  new Gauge({
    name: 'pinfold_gc_quarantine_pins',
    help: 'Pins in quarantine now.',
    registers: [registry],
    collect(): void {
      this.set(numbers.quarantine().pins);
    },
  });
}
