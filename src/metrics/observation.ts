import { Gauge, type Registry, Summary } from 'prom-client';
import type { Statistics } from '../model/statistics.ts';

/** How old what we tell is, and what finding it out costs. */
export function collectObservation(registry: Registry, numbers: Statistics): void {
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
  readonly #numbers: Statistics;

  constructor(registry: Registry, numbers: Statistics) {
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
