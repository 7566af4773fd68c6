import { Gauge, type Registry } from 'prom-client';
import type { Numbers } from './statistics.ts';

/** Sums of the kernel's own reference counters; growth without growth of objects is somebody holding on. */
export function collectReferences(registry: Registry, numbers: Numbers): void {
  new Gauge({
    name: 'pinfold_references',
    help: 'Sum of the kernel reference counters of all objects of a kind at the last observation.',
    labelNames: ['kind', 'counter'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { kind, counter, count } of numbers.referenceCounts()) this.set({ kind, counter }, count);
    },
  });
}
