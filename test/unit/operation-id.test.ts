import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test from 'node:test';
import { operationIds } from '../../src/agent/operation/operation-id.ts';
import type { Clock } from '../../src/model/clock.ts';

const crockford = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A clock that stands at these milliseconds, one after the other, and then at the last. */
function clockAt(...millis: readonly number[]): Clock {
  let at = 0;
  const now = () => new Date(millis[Math.min(at++, millis.length - 1)] ?? 0);
  return { now, monotonicMs: () => 0, bootMs: () => 0 };
}

/** The number that digits stand for, the slow way. */
const numberOf = (text: string): bigint =>
  [...text].reduce((value, digit) => value * 32n + BigInt(crockford.indexOf(digit)), 0n);

type Draw = (size: number) => Uint8Array;

const idsOf = (clock: Clock, count: number, bytes: Draw = randomBytes): readonly string[] => {
  const next = operationIds(clock, bytes);
  return Array.from({ length: count }, next);
};

test('an id is the time and 80 random bits, in Crockford’s base 32', () => {
  const sent: Uint8Array[] = [];
  const bytes = (size: number): Buffer => {
    const drawn = randomBytes(size);
    sent.push(drawn);
    return drawn;
  };
  const times = [1_700_000_000_000, 1_700_000_000_001, 281_474_976_710_655];
  const ids = idsOf(clockAt(...times), 3, bytes);
  for (const [index, id] of ids.entries()) {
    assert.match(id, /^[0-9A-HJKMNP-TV-Z]{26}$/);
    const random = Buffer.from(sent[0] ?? []).subarray(10 * index, 10 * index + 10);
    assert.equal(numberOf(id), (BigInt(times[index] ?? 0) << 80n) | BigInt(`0x${random.toString('hex')}`));
  }
});

test('ids ascend as text, within one millisecond and where the clock goes back', () => {
  const ids = idsOf(clockAt(5000, 5000, 5000, 4000, 5001, 1, 5001), 2000);
  assert.deepEqual([...ids].sort(), ids);
  assert.equal(new Set(ids).size, ids.length);
});

test('what is counted up carries into all that stands before it', () => {
  const full = (size: number): Buffer => Buffer.alloc(size, 0xff);
  const half = (size: number): Buffer => Buffer.alloc(size, Buffer.from('00000000ffffffffffff', 'hex'));
  for (const bytes of [full, half]) {
    const [first = '', second = ''] = idsOf(clockAt(7000), 2, bytes);
    assert.equal(numberOf(second), numberOf(first) + 1n);
  }
});

test('random bytes last for many ids and are drawn again', () => {
  let drawn = 0;
  const counting = (size: number): Buffer => {
    drawn++;
    return randomBytes(size);
  };
  const times = Array.from({ length: 65 }, (_, index) => 9000 + index);
  assert.equal(new Set(idsOf(clockAt(...times), 65, counting)).size, 65);
  assert.equal(drawn, 2);
});
