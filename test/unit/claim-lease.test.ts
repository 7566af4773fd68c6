import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  type BootMoment,
  beginLease,
  type Lease,
  remainingMs,
  renewalIntervalMs,
  resumeLease,
} from '../../src/model/claim/lease.ts';
import { testSeed } from '../support/seed.ts';

const seed = testSeed();
const runs = { seed, numRuns: 5000 };

const at = (ms: number, bootId = 'this boot'): BootMoment => ({ bootId, ms });
const leaseMs = fc.integer({ min: 1000, max: 366 * 24 * 3600 * 1000 });
const passing = fc.integer({ min: 0, max: 1000 * 24 * 3600 * 1000 });

test('a lease is over exactly when its time has passed since it was begun', () => {
  fc.assert(
    fc.property(leaseMs, passing, passing, (ms, begun, later) => {
      const lease = beginLease(ms, at(begun));
      assert.equal(remainingMs(lease, at(begun + later)), Math.max(0, ms - later));
    }),
    runs,
  );
});

test('a restart leaves one renewal interval at least, the whole lease at most, and never shortens', () => {
  fc.assert(
    fc.property(leaseMs, passing, passing, (ms, begun, down) => {
      const start = at(begun + down);
      const left = remainingMs(resumeLease(beginLease(ms, at(begun)), start), start);
      assert.ok(left >= renewalIntervalMs(ms), `${left} of ${ms}`);
      assert.ok(left <= ms);
      assert.ok(left >= ms - down, 'what was left before is left');
    }),
    runs,
  );
});

test('time without an agent counts: of a lease that had more left than the grace nothing is added', () => {
  fc.assert(
    fc.property(leaseMs, passing, fc.double({ min: 0, max: 1, noNaN: true }), (ms, begun, part) => {
      const down = Math.floor((ms - renewalIntervalMs(ms)) * part);
      const lease = beginLease(ms, at(begun));
      assert.deepEqual(resumeLease(lease, at(begun + down)), lease);
    }),
    runs,
  );
});

test('an owner who renews every interval keeps its claim through any number of restarts', () => {
  type Happening = 'renewal' | 'restart';
  const happenings = fc.array(
    fc.record({
      what: fc.constantFrom<Happening>('renewal', 'restart'),
      after: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(leaseMs, happenings, (ms, all) => {
      const interval = renewalIntervalMs(ms);
      let nowMs = 1;
      let lease: Lease = beginLease(ms, at(nowMs));
      for (const { what, after } of all) {
        // Between two things that happen no more than an interval passes while the agent runs.
        nowMs += Math.floor((interval - 1) * after);
        assert.ok(remainingMs(lease, at(nowMs)) > 0, 'it stands when the owner comes by');
        lease = beginLease(ms, at(nowMs));
        if (what === 'restart') {
          nowMs += Math.floor(ms * 3 * after);
          lease = resumeLease(lease, at(nowMs));
        }
      }
    }),
    runs,
  );
});

test('nobody lives on restarts alone longer than agents run', () => {
  fc.assert(
    fc.property(leaseMs, fc.array(passing, { minLength: 1, maxLength: 20 }), (ms, restarts) => {
      let lease = beginLease(ms, at(0));
      let nowMs = 0;
      for (const pause of restarts) {
        nowMs += pause;
        lease = resumeLease(lease, at(nowMs));
      }
      assert.equal(remainingMs(lease, at(nowMs + ms)), 0, 'a lease after the last start it is over');
    }),
    runs,
  );
});

test('in another boot a lease begins anew, whatever its deadline said', () => {
  fc.assert(
    fc.property(leaseMs, passing, passing, (ms, begun, start) => {
      const lease = beginLease(ms, at(begun, 'the boot before'));
      assert.deepEqual(resumeLease(lease, at(start)), beginLease(ms, at(start)));
    }),
    runs,
  );
});

test('a deadline of a clock that was ahead is cut to the lease', () => {
  const lease = beginLease(60_000, at(10_000_000));
  assert.equal(remainingMs(resumeLease(lease, at(5000)), at(5000)), 60_000);
});
