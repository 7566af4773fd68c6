import { Counter, Gauge, type Registry } from 'prom-client';
import type { Statistics } from '../model/statistics.ts';

/** Who needs pins: how many claims there are, what they cover, and how many nobody renewed in time. */
export function collectClaims(registry: Registry, numbers: Statistics): void {
  new Gauge({
    name: 'pinfold_claims',
    help: 'Claims of owners on pins.',
    registers: [registry],
    collect() {
      this.set(numbers.claimCounts().claims);
    },
  });
  new Gauge({
    name: 'pinfold_claimed_pins',
    help: 'Different paths that are claimed, whether they hold a pin or not.',
    registers: [registry],
    collect() {
      this.set(numbers.claimCounts().pins);
    },
  });
  new Counter({
    name: 'pinfold_claims_expired_total',
    help: 'Claims that ended because their lease was not renewed in time.',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(numbers.claimCounts().expired);
    },
  });
}
