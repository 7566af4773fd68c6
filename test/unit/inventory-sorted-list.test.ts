import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { compareBytes, SortedList } from '../../src/agent/inventory/sorted-list.ts';
import { processorMs } from '../support/processor-time.ts';
import { testSeed } from '../support/seed.ts';

const seed = testSeed();

test('a sorted list holds what was added and not removed, in byte order, whenever it is read', () => {
  const item = fc.string({ minLength: 1, maxLength: 3, unit: fc.constantFrom('a', '/', '0', '\xff', '-') });
  const step = fc.oneof(
    fc.record({ what: fc.constant('add' as const), item }),
    fc.record({ what: fc.constant('remove' as const), item }),
    fc.record({ what: fc.constant('read' as const), item }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const list = new SortedList<string>(compareBytes);
      const model = new Set<string>();
      for (const { what, item } of steps) {
        if (what === 'add') {
          list.add(item);
          model.add(item);
        }
        if (what === 'remove') {
          list.remove(item);
          model.delete(item);
        }
        if (what !== 'read') continue;
        const expected = [...model].sort((a, b) =>
          Buffer.compare(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1')),
        );
        assert.deepEqual(list.items(), expected);
        assert.equal(list.lowerBound(item), expected.filter((other) => other < item).length);
      }
    }),
    { seed, numRuns: 500 },
  );
});

test('ten thousand additions at once are sorted, not spliced one by one', () => {
  const list = new SortedList<number>((one, other) => one - other);
  for (let at = 10_000; at > 0; at--) list.add(at);
  const before = processorMs();
  assert.equal(list.items().length, 10_000);
  assert.ok(processorMs() - before < 500, 'quadratic work would take seconds');
});
