import { Gauge, type Registry } from 'prom-client';
import type { Statistics } from '../model/statistics.ts';

/** References that the kernel counts and nobody shows; absent until holders have been read. */
export function collectUnexplained(registry: Registry, numbers: Statistics): void {
  new Gauge({
    name: 'pinfold_unexplained_references',
    help: 'References that no holder could be found for, when holders were read last.',
    labelNames: ['kind'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { kind, count } of numbers.unexplainedCounts()) this.set({ kind }, count);
    },
  });
}
