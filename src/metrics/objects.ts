import { Gauge, type Registry } from 'prom-client';
import type { Statistics } from '../model/statistics.ts';

/** BPF objects alive on this node, by kind and type, as the last observation saw them. */
export function collectObjects(registry: Registry, numbers: Statistics): void {
  new Gauge({
    name: 'pinfold_objects',
    help: 'BPF objects alive on this node at the last observation.',
    labelNames: ['kind', 'type'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { kind, type, count } of numbers.objectCounts()) this.set({ kind, type }, count);
    },
  });
}
