import assert from 'node:assert/strict';
import test from 'node:test';
import { PinSetWorld } from '../support/pinset-world.ts';
import { rounds } from '../support/rounds.ts';
import { random, testSeed } from '../support/seed.ts';

const seed = testSeed();
const turnsEach = 60;

/** Runs schedules of one kind; the seed of one that fails is in what it throws. */
function run(count: number, isWild: boolean): number {
  let steps = 0;
  for (let index = 0; index < count; index++) {
    const own = (seed + index) % 2 ** 31;
    const world = new PinSetWorld(random(own), isWild);
    try {
      for (let turn = 0; turn < turnsEach; turn++) world.turn();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`schedule ${own} (${isWild ? 'wild' : 'in order'}): ${why}`, { cause: error });
    }
    steps += world.steps;
  }
  return steps;
}

test('late, repeated, reordered and restored documents: never back, never two sets, never too many', () => {
  assert.ok(run(5000 * rounds(1), true) > 0);
});

test('with each key heard late but in order, never more nodes change than a rollout allows', () => {
  assert.ok(run(5000 * rounds(1), false) > 0);
});
