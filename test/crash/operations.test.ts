import assert from 'node:assert/strict';
import test from 'node:test';
import { killNow } from '../kernel/changes-fixture.ts';
import { rounds } from '../support/rounds.ts';
import { type Death, deaths, scenarios } from './support/scenarios.ts';
import {
  assertTidy,
  initialPins,
  operationOf,
  pinsOf,
  restart,
  runVictim,
  setScene,
} from './support/scene.ts';

/** Even, so that the other holder of the source is dead in half of the rounds of every step. */
const times = rounds(4);

for (const death of deaths) {
  test(`killed at ${death.step} (${death.scenario.name}, passing ${death.nth})`, async () => {
    for (let round = 0; round < times; round++) await dieOnce(death, round % 2 === 1);
  });
}

/** The change happened as a whole or not at all, and the journal says which; nobody lost anything. */
async function dieOnce({ scenario, step, nth }: Death, sourceDies: boolean): Promise<void> {
  using scene = await setScene();
  const before = initialPins(scene);
  assert.ok(runVictim(scene, { dieAt: step, nth, changes: [scenario.change(scene)] }), `${step} was reached`);
  if (sourceDies) killNow(scene.source.pid);
  const { waiting } = restart(scene);
  assert.deepEqual(waiting, []);
  assertTidy(scene);
  const operation = operationOf(scene);
  const isApplied = operation?.outcome === 'applied';
  assert.ok(
    isApplied || operation === undefined || operation.outcome === 'not_applied',
    JSON.stringify(operation),
  );
  assert.deepEqual(pinsOf(scene), isApplied ? scenario.after(scene) : before, JSON.stringify(operation));
  assert.deepEqual(restart(scene).settled, [], 'a second start finds nothing to do');
}

test('killed while a failed batch is taken back, all of it is taken back at the next start', async () => {
  for (let round = 0; round < times; round++) {
    for (const nth of [1, 2, 3]) {
      using scene = await setScene();
      const change = scenarios.batch.change(scene);
      assert.ok(runVictim(scene, { dieAt: 'batch.step_undone', nth, failAt: 5, changes: [change] }));
      const { settled } = restart(scene);
      assert.deepEqual(
        settled.map(({ outcome }) => outcome),
        ['not_applied'],
        JSON.stringify(settled),
      );
      assert.deepEqual(pinsOf(scene), initialPins(scene));
      assertTidy(scene);
    }
  }
});
