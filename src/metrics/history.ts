import { Counter, Gauge, type Registry } from 'prom-client';
import type { Statistics } from '../model/statistics.ts';

/** How much history is kept, and what has been removed of it. */
export function collectHistory(registry: Registry, numbers: Statistics): void {
  new Gauge({
    name: 'pinfold_history_events',
    help: 'Events that are kept.',
    registers: [registry],
    collect() {
      this.set(numbers.history().events);
    },
  });
  new Gauge({
    name: 'pinfold_history_bytes',
    help: 'What they take in the database, about.',
    registers: [registry],
    collect() {
      this.set(numbers.history().bytes);
    },
  });
  new Counter({
    name: 'pinfold_history_removed_total',
    help: 'Events that clean-up has removed since the agent started, by what they were too much of.',
    labelNames: ['by'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [by, count] of Object.entries(numbers.history().removed)) this.inc({ by }, count);
    },
  });
}
