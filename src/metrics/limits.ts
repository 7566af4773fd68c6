import { Counter, type Registry } from 'prom-client';

/** Counts how often a limit of model/limits.ts refused something. */
export type LimitHit = (limit: string) => void;

/** Limits that were hit; a rate above zero says which one is too tight, or who asks for too much. */
export function collectLimits(registry: Registry): LimitHit {
  const hits = new Counter({
    name: 'pinfold_limit_hits_total',
    help: 'Requests that were refused by a limit.',
    labelNames: ['limit'],
    registers: [registry],
  });
  return (limit) => hits.inc({ limit });
}
