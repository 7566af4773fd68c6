import { Gauge, type Registry } from 'prom-client';
import type { Statistics } from '../model/statistics.ts';

/** Open findings; a rule that cannot be tried has no series, one that finds nothing has 0. */
export function collectFindings(registry: Registry, numbers: Statistics): void {
  new Gauge({
    name: 'pinfold_findings',
    help: 'Open findings by rule and severity; docs/findings.md says what each rule looks for.',
    labelNames: ['rule', 'severity'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { rule, severity, count } of numbers.findingCounts()) this.set({ rule, severity }, count);
    },
  });
}
