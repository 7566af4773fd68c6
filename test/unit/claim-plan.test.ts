import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { ClaimIndex } from '../../src/agent/claim/claim-index.ts';
import type { Claim, ClaimedObject } from '../../src/model/claim/claim.ts';
import { ownerMembers, parseOwner, parseUrlOwner, urlOfOwner } from '../../src/model/claim/owner.ts';
import {
  type ClaimMoment,
  type ClaimWish,
  planClaim,
  type Sights,
} from '../../src/model/claim/plan-claim.ts';
import { durationText, parseDurationMs } from '../../src/model/duration.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import { limits } from '../../src/model/limits.ts';
import { parsePath } from '../../src/model/path.ts';
import { testSeed } from '../support/seed.ts';

const seed = testSeed();
const owner = parseOwner('pod-1');
const a = parsePath('a');
const b = parsePath('dir/b');

const object = (id: number): ClaimedObject => ({
  kind: 'map',
  id,
  type: 'hash',
  name: `map_${id}`,
  fingerprint: `f${id}`,
});

function moment(operationId: string, ms = 1000): ClaimMoment {
  return { operationId, actor: 'api:x', at: `at ${ms}`, now: { bootId: 'boot', ms } };
}

function plan(before: Claim | undefined, wish: Partial<ClaimWish>, sights: Sights, when = moment('op-1')) {
  return planClaim(owner, before, { wish: { adopts: false, ...wish }, sights }, when);
}

const seen = (...entries: readonly (readonly [string, ClaimedObject | null])[]): Sights => new Map(entries);

test('a new claim has its paths once each, in byte order, with what was found there', () => {
  const { claim, change } = plan(
    undefined,
    { paths: [b, a, b], leaseMs: 60_000 },
    seen([a, object(1)], [b, null]),
  );
  assert.equal(change, 'made');
  assert.deepEqual(claim.pins, [
    { path: a, object: object(1) },
    { path: b, object: null },
  ]);
  assert.deepEqual(claim.lease, { leaseMs: 60_000, deadline: { bootId: 'boot', ms: 61_000 } });
  assert.equal(claim.id, 'op-1');
});

test('an empty wish renews: the deadline moves, everything else stays', () => {
  const first = plan(
    undefined,
    { paths: [a], leaseMs: 60_000, labels: { x: 'y' } },
    seen([a, object(1)]),
  ).claim;
  const { claim, change } = plan(first, {}, seen([a, object(1)]), moment('op-2', 9000));
  assert.equal(change, 'renewed');
  assert.deepEqual(claim, {
    ...first,
    renewedAt: 'at 9000',
    lease: { leaseMs: 60_000, deadline: { bootId: 'boot', ms: 69_000 } },
  });
});

test('a renewal keeps what was claimed although something else is there, until it is adopted', () => {
  const first = plan(undefined, { paths: [a] }, seen([a, object(1)])).claim;
  const renewed = plan(first, {}, seen([a, object(2)]));
  assert.equal(renewed.change, 'renewed');
  assert.deepEqual(renewed.claim.pins, [{ path: a, object: object(1) }]);
  const adopted = plan(renewed.claim, { adopts: true }, seen([a, object(2)]));
  assert.equal(adopted.change, 'changed');
  assert.deepEqual(adopted.claim.pins, [{ path: a, object: object(2) }]);
});

test('what was claimed empty takes the first object a renewal finds', () => {
  const first = plan(undefined, { paths: [a] }, seen([a, null])).claim;
  const second = plan(first, {}, seen([a, object(7)]));
  assert.equal(second.change, 'changed');
  assert.deepEqual(second.claim.pins, [{ path: a, object: object(7) }]);
});

test('lease null makes a claim stand until it is released, and labels given replace all', () => {
  const first = plan(
    undefined,
    { paths: [a], leaseMs: 5000, labels: { x: '1', y: '2' } },
    seen([a, null]),
  ).claim;
  const { claim } = plan(first, { leaseMs: null, labels: { z: '3' } }, seen([a, null]));
  assert.deepEqual([claim.lease, claim.labels], [null, { z: '3' }]);
});

test('pins must be said where there is no claim, or one of another instance', () => {
  const refusal = (thrown: unknown) => isPinfoldError(thrown, 'invalid_input');
  assert.throws(() => plan(undefined, {}, seen()), refusal);
  const first = plan(undefined, { paths: [a] }, seen([a, object(1)])).claim;
  assert.throws(() => plan(first, { mount: '0:50' }, seen([a, null])), refusal);
  const moved = plan(first, { mount: '0:50', paths: [a] }, seen([a, null])).claim;
  assert.deepEqual(moved.pins, [{ path: a, object: null }], 'what was there was another instance’s');
});

test('owners are bytes: any but NUL, as many as the limit, and not one more', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: limits.claimOwnerBytesMax });
  fc.assert(
    fc.property(bytes, (given) => {
      const text = Buffer.from(given).toString('latin1').replaceAll('\0', 'n');
      const parsed = parseUrlOwner(urlOfOwner(text));
      assert.equal(parsed, text);
      const { owner: shown, owner_bytes: exact } = ownerMembers(parsed);
      const back = exact === undefined ? Buffer.from(shown, 'utf8') : Buffer.from(exact, 'base64');
      assert.equal(back.toString('latin1'), text);
    }),
    { seed, numRuns: 2000 },
  );
  const refusal = (thrown: unknown) => isPinfoldError(thrown, 'invalid_input');
  assert.equal(parseOwner('x'.repeat(limits.claimOwnerBytesMax)).length, limits.claimOwnerBytesMax);
  assert.throws(() => parseOwner('x'.repeat(limits.claimOwnerBytesMax + 1)), refusal);
  for (const bad of ['', '%00', '%', '%4', '%zz']) assert.throws(() => parseUrlOwner(bad), refusal, bad);
});

test('the index answers as a list of all claims would, whichever instance is the primary one', () => {
  const mounts = [null, '0:40', '0:41'] as const;
  const claims = fc.array(
    fc.record({
      owner: fc.constantFrom('p', 'q', 'r'),
      mount: fc.constantFrom(...mounts),
      paths: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1 }),
    }),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(claims, fc.constantFrom('0:40', '0:41', undefined), (all, primary) => {
      const index = new ClaimIndex(() => primary);
      const model = new Map<string, (typeof all)[number] & { readonly claim: string }>();
      for (const [number, each] of all.entries()) {
        const before = model.get(each.owner);
        if (before !== undefined) index.remove(before);
        const after = { ...each, claim: `c${number}` };
        index.add(after);
        model.set(each.owner, after);
      }
      for (const mount of ['0:40', '0:41']) {
        for (const path of ['a', 'b', 'c']) {
          const expected = [...model.values()]
            .filter(
              (claim) => (claim.mount ?? primary) === mount && claim.paths.some((each) => each === path),
            )
            .map(({ owner: name, claim }) => ({ owner: name, claim }))
            .sort((one, other) => (one.owner < other.owner ? -1 : 1));
          assert.deepEqual(index.claimsOf({ mount, path }), expected);
        }
      }
      const named = new Set(
        [...model.values()].flatMap(({ mount, paths }) => paths.map((path) => `${mount}/${path}`)),
      );
      assert.equal(index.size, named.size);
      for (const claim of model.values()) index.remove(claim);
      assert.equal(index.size, 0);
    }),
    { seed, numRuns: 2000 },
  );
});

test('durations are written in the largest unit that loses nothing', () => {
  assert.deepEqual([600_000, 1500, 3_600_000, 86_400_000, 200_000].map(durationText), [
    '10m',
    '1500ms',
    '1h',
    '1d',
    '200s',
  ]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 999_999_999 }), (ms) => {
      assert.equal(parseDurationMs(durationText(ms)), ms);
    }),
    { seed },
  );
});
