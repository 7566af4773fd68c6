import { Gauge, type Registry } from 'prom-client';
import type { Statistics } from '../model/statistics.ts';

/** Who holds objects; growth without growth of objects is somebody holding on. */
export function collectReferences(registry: Registry, numbers: Statistics): void {
  new Gauge({
    name: 'pinfold_references',
    help: 'References on all objects of a kind at the last observation, by who holds them.',
    labelNames: ['kind', 'holder'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { kind, holder, count } of numbers.referenceCounts()) this.set({ kind, holder }, count);
    },
  });
}
