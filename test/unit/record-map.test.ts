import assert from 'node:assert/strict';
import test from 'node:test';
import { RecordMap } from '../../src/kernel/iter/record-map.ts';

const format = { recordSize: 8, parse: (record: Buffer) => record.readUInt32LE(4) };

/** The bytes of a pass: ids, each with a value. */
function pass(...records: readonly (readonly [id: number, value: number])[]): Buffer {
  const bytes = Buffer.alloc(records.length * 8);
  for (const [index, [id, value]] of records.entries()) {
    bytes.writeUInt32LE(id, index * 8);
    bytes.writeUInt32LE(value, index * 8 + 4);
  }
  return bytes;
}

test('records are found by their ids, and only those that are shown', () => {
  const map = RecordMap.of(pass([3, 30], [5, 50], [9, 90]), format, (id) => id !== 5);
  assert.deepEqual([...map.ids], [3, 9]);
  assert.deepEqual([map.get(3), map.get(5), map.get(9), map.get(4)], [30, undefined, 90, undefined]);
});

test('a link that has no id yet is not there, wherever it stands', () => {
  for (const records of [
    [
      [0, 1],
      [3, 30],
      [5, 50],
    ],
    [
      [3, 30],
      [0, 1],
      [0, 2],
      [5, 50],
    ],
    [
      [3, 30],
      [5, 50],
      [0, 1],
    ],
  ] as const) {
    const map = RecordMap.of(pass(...records), format);
    assert.deepEqual(
      [...map],
      [
        [3, 30],
        [5, 50],
      ],
    );
    assert.equal(map.has(0), false);
  }
  assert.equal(RecordMap.of(pass([0, 1]), format).size, 0);
});

test('bytes that no iterator writes are refused', () => {
  assert.throws(() => RecordMap.of(pass([5, 1], [3, 1]), format), RangeError);
  assert.throws(() => RecordMap.of(pass([5, 1]).subarray(0, 7), format), RangeError);
});
