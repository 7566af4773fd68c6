import assert from 'node:assert/strict';
import test from 'node:test';
import { nextGeneration } from '../../src/model/cluster/pinset/generation.ts';
import { isPinfoldError } from '../../src/model/error.ts';

test('the next generation is newer than the stored one and than any that was applied', () => {
  assert.equal(nextGeneration(0, []), 1);
  assert.equal(nextGeneration(4, [2, 9, 0]), 10);
  assert.equal(nextGeneration(0, [1_000_000]), 1_000_001, 'the store may come back empty');
});

test('what no node can have applied does not use the numbers up', () => {
  assert.equal(nextGeneration(4, [Number.MAX_SAFE_INTEGER, 6]), 7);
  assert.equal(nextGeneration(4, [1_000_005]), 5);
  const last = 2 ** 52;
  assert.equal(nextGeneration(last - 2, [last - 1, last + 1]), last);
  assert.throws(
    () => nextGeneration(last, []),
    (error) => isPinfoldError(error, 'conflict'),
  );
});
