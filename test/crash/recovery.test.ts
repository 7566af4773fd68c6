import assert from 'node:assert/strict';
import test from 'node:test';
import type { StepName } from '../../src/model/step.ts';
import { killNow } from '../kernel/changes-fixture.ts';
import { rounds } from '../support/rounds.ts';
import { type Death, scenarios } from './support/scenarios.ts';
import {
  assertTidy,
  initialPins,
  operationOf,
  pinsOf,
  restart,
  runVictim,
  setScene,
} from './support/scene.ts';

/** Each place is tried with nine deaths: a third of the rounds kills there thrice as often. */
const times = Math.ceil(rounds(3) / 3);

/** Deaths that leave recovery something to do, and how the operation must end then. */
const deaths: readonly (Death & { readonly outcome: 'applied' | 'not_applied' })[] = [
  { scenario: scenarios.pin, step: 'pin.staged', nth: 1, outcome: 'applied' },
  { scenario: scenarios.replace, step: 'replace.staged', nth: 1, outcome: 'applied' },
  { scenario: scenarios.replace, step: 'replace.exchanged', nth: 1, outcome: 'applied' },
  { scenario: scenarios.unpin, step: 'unpin.moved_aside', nth: 1, outcome: 'not_applied' },
  { scenario: scenarios.renameOver, step: 'rename.renamed', nth: 1, outcome: 'applied' },
  { scenario: scenarios.attributes, step: 'attributes.intent_committed', nth: 1, outcome: 'applied' },
  { scenario: scenarios.batch, step: 'batch.step_done', nth: 3, outcome: 'applied' },
  { scenario: scenarios.batch, step: 'batch.committed', nth: 1, outcome: 'applied' },
  { scenario: scenarios.unpinBatch, step: 'batch.step_done', nth: 1, outcome: 'not_applied' },
];

/** The places at which recovery dies, the repeated one at its first and second passing. */
const places: readonly (readonly [StepName, number])[] = [
  ['recovery.started', 1],
  ['recovery.intent_examined', 1],
  ['recovery.kernel_changed', 1],
  ['recovery.kernel_changed', 2],
  ['recovery.intent_settled', 1],
  ['recovery.finished', 1],
];

for (const death of deaths) {
  test(`recovery from ${death.step} (${death.scenario.name}) may itself be killed anywhere`, async () => {
    for (let round = 0; round < times; round++) {
      for (const [index, place] of places.entries()) await dieTwice(death, place, (round + index) % 2 === 1);
    }
  });
}

async function dieTwice(
  death: (typeof deaths)[number],
  [dieAt, nth]: readonly [StepName, number],
  sourceDies: boolean,
): Promise<void> {
  const { scenario, step, outcome } = death;
  using scene = await setScene();
  assert.ok(runVictim(scene, { dieAt: step, nth: death.nth, changes: [scenario.change(scene)] }));
  if (sourceDies) killNow(scene.source.pid);
  const isKilled = runVictim(scene, { dieAt, nth });
  assert.ok(isKilled || dieAt === 'recovery.kernel_changed', `${dieAt} was reached`);
  restart(scene);
  assertTidy(scene);
  const operation = operationOf(scene);
  assert.equal(operation?.outcome, outcome, JSON.stringify({ operation, dieAt, nth }));
  assert.deepEqual(pinsOf(scene), outcome === 'applied' ? scenario.after(scene) : initialPins(scene));
  assert.deepEqual(restart(scene).settled, []);
}
