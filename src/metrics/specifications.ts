import { Counter, type Registry } from 'prom-client';
import type { Statistics } from '../model/statistics.ts';

/** What of specifications could not be kept: a copy of a map or program that has gone lacks it. */
export function collectSpecifications(registry: Registry, numbers: Statistics): void {
  new Counter({
    name: 'pinfold_specification_parts_dropped_total',
    help: 'Parts of specifications (BTF, instructions) that found no room in the database.',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(numbers.specificationPartsDropped());
    },
  });
}
