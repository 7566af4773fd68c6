import { Gauge, type Registry, Summary } from 'prom-client';
import type { Numbers } from './statistics.ts';

/** How old what we tell is, and what finding it out costs. */
export function collectObservation(registry: Registry, numbers: Numbers): void {
  new Gauge({
    name: 'pinfold_observation_age_seconds',
    help: 'Time since the kernel was last observed.',
    registers: [registry],
    collect() {
      this.set(numbers.observation().ageSeconds);
    },
  });
  new PassDurations(registry, numbers);
}

const name = 'pinfold_observation_duration_seconds';
const help = 'Observation passes: how many, and the time they took.';

/** A summary without quantiles whose count and sum the observer keeps. */
class PassDurations extends Summary<'pass'> {
  readonly #numbers: Numbers;

  constructor(registry: Registry, numbers: Numbers) {
    super({ name, help, labelNames: ['pass'], percentiles: [], registers: [registry] });
    this.#numbers = numbers;
  }

  override async get(): ReturnType<Summary<'pass'>['get']> {
    const values = this.#numbers.observation().passes.flatMap(({ pass, count, seconds }) => [
      { metricName: `${name}_sum`, labels: { pass }, value: seconds },
      { metricName: `${name}_count`, labels: { pass }, value: count },
    ]);
    return { ...(await super.get()), values };
  }
}
