import { Counter, Histogram, type Registry } from 'prom-client';
import type { Statistics } from '../model/statistics.ts';

/** Changes by kind, outcome and duration. */
export function collectOperations(registry: Registry, numbers: Statistics): void {
  const total = new Counter({
    name: 'pinfold_operations_total',
    help: 'Changes that were tried, by what they came to.',
    labelNames: ['kind', 'outcome', 'code'],
    registers: [registry],
  });
  const duration = new Histogram({
    name: 'pinfold_operation_duration_seconds',
    help: 'How long changes took.',
    labelNames: ['kind'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1],
    registers: [registry],
  });
  numbers.onOperation(({ kind, outcome, code, seconds }) => {
    total.inc({ kind, outcome, code });
    duration.observe({ kind }, seconds);
  });
}
