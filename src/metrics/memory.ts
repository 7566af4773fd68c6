import { Gauge, type Registry } from 'prom-client';
import type { Statistics } from '../model/statistics.ts';

/** What maps and programs take. */
export function collectMemory(registry: Registry, numbers: Statistics): void {
  new Gauge({
    name: 'pinfold_memory_bytes',
    help: 'Memory the kernel accounts to BPF objects, as they were described last.',
    labelNames: ['kind', 'type'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { kind, type, bytes } of numbers.memoryCounts()) this.set({ kind, type }, bytes);
    },
  });
}
