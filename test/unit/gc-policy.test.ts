import assert from 'node:assert/strict';
import test from 'node:test';
import { GcPolicies } from '../../src/agent/gc/policies.ts';
import { Throttle } from '../../src/agent/gc/throttle.ts';
import { PinfoldError } from '../../src/model/error.ts';
import type { GcQuestion } from '../../src/model/gc/plan.ts';
import { parseGcSettings, usualGc } from '../../src/model/gc/policy.ts';
import { limits } from '../../src/model/limits.ts';
import { openTestStore } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';

const policy = { rules: ['orphan_pin'], every: '1h' };

test('without a word in the configuration nothing is cleaned up by itself', () => {
  for (const nothing of [undefined, null, {}]) assert.deepEqual(parseGcSettings(nothing), usualGc);
  assert.deepEqual(usualGc.policies, []);
});

test('a policy is read, and takes what it does not say from what is said for all', () => {
  const { policies, pinsASecond, graceMs } = parseGcSettings({
    min_age: '2h',
    grace: '30m',
    pins_a_second: limits.gcPinsASecondMax,
    policies: [
      { rules: ['orphan_pin', 'dead_link'], prefix: 'tc/globals', every: '1m', min_age: '0s' },
      { ...policy, grace: '7d' },
    ],
  });
  assert.deepEqual([pinsASecond, graceMs], [limits.gcPinsASecondMax, 1_800_000]);
  assert.deepEqual(policies, [
    {
      rules: ['orphan_pin', 'dead_link'],
      prefix: 'tc/globals',
      minAgeMs: 0,
      graceMs: 1_800_000,
      everyMs: limits.gcEveryMsMin,
    },
    {
      rules: ['orphan_pin'],
      prefix: undefined,
      minAgeMs: 7_200_000,
      graceMs: 604_800_000,
      everyMs: 3_600_000,
    },
  ]);
  const most = Array.from({ length: limits.gcPoliciesMax }, () => policy);
  assert.equal(parseGcSettings({ policies: most }).policies.length, limits.gcPoliciesMax);
});

const bad: readonly unknown[] = [
  7,
  { nonsense: 1 },
  { min_age: 5 },
  { grace: 'soon' },
  { pins_a_second: 0 },
  { pins_a_second: limits.gcPinsASecondMax + 1 },
  { policies: policy },
  { policies: Array.from({ length: limits.gcPoliciesMax + 1 }, () => policy) },
  { policies: [{ rules: ['orphan_pin'] }] },
  { policies: [{ ...policy, every: `${limits.gcEveryMsMin - 1}ms` }] },
  { policies: [{ ...policy, rules: [] }] },
  { policies: [{ ...policy, rules: ['map_near_full'] }] },
  { policies: [{ ...policy, nonsense: 1 }] },
  { policies: [{ ...policy, prefix: 7 }] },
];

for (const document of bad) {
  test(`gc: ${JSON.stringify(document).slice(0, 60)} is refused with a sentence`, () => {
    assert.throws(
      () => parseGcSettings(document),
      (thrown: unknown) => {
        assert.ok(thrown instanceof RangeError || thrown instanceof PinfoldError);
        assert.match(thrown.message, /^.*\.$/);
        return true;
      },
    );
  });
}

test('a policy is carried out when its time has come by the boot clock, also over a restart', async () => {
  using dir = tempDir('policies');
  const store = openTestStore(dir.path);
  const started: GcQuestion[] = [];
  let bootMs = 1000;
  const start = async (question: GcQuestion) => {
    started.push(question);
    return { plan: { lines: [], more: 0, passed: [] }, at: new Date(), operationId: undefined };
  };
  // The wall clock plays no part, so it may say anything.
  const clock = { now: () => new Date(0), monotonicMs: () => 0, bootMs: () => bootMs };
  const make = () =>
    new GcPolicies({
      policies: parseGcSettings({ policies: [policy] }).policies,
      collector: { start, isBusy: false },
      store,
      clock,
      bootId: 'boot',
      primaryMount: () => '0:40',
    });
  const failed = (error: unknown): never => {
    throw error;
  };
  const first = make();
  const look = async (policies: GcPolicies, ms: number): Promise<number> => {
    bootMs = ms;
    policies.afterPass(failed);
    await new Promise((resolve) => setImmediate(resolve));
    return started.length;
  };
  assert.equal(await look(first, 1000), 0);
  assert.equal(await look(first, 1000 + 3_599_999), 0);
  assert.equal(await look(first, 1000 + 3_600_000), 1);
  assert.equal(await look(first, 1000 + 3_600_001), 1);
  const second = make();
  assert.equal(await look(second, 1000 + 7_199_999), 1, 'time in which no agent ran counts');
  assert.equal(await look(second, 1000 + 7_200_000), 2);
  store.close();
  assert.deepEqual(started[0], {
    rules: ['orphan_pin'],
    prefix: undefined,
    minAgeMs: 86_400_000,
    mount: '0:40',
  });
});

test('policies that are due at once are carried out in turn, and none is passed over', async () => {
  using dir = tempDir('policies-at-once');
  const store = openTestStore(dir.path);
  const begun: string[] = [];
  let refusal: PinfoldError | undefined;
  const collector = {
    isBusy: false,
    start: async ({ prefix }: GcQuestion) => {
      if (refusal !== undefined) throw refusal;
      begun.push(String(prefix));
      collector.isBusy = true;
      return { plan: { lines: [], more: 0, passed: [] }, at: new Date(), operationId: 'one' };
    },
  };
  let bootMs = 0;
  const policies = new GcPolicies({
    policies: parseGcSettings({ policies: ['a', 'b', 'c'].map((prefix) => ({ ...policy, prefix })) })
      .policies,
    collector,
    store,
    clock: { now: () => new Date(0), monotonicMs: () => 0, bootMs: () => bootMs },
    bootId: 'boot',
    primaryMount: () => '0:40',
  });
  const look = async (): Promise<string> => {
    policies.afterPass((error) => assert.fail(String(error)));
    await new Promise((resolve) => setImmediate(resolve));
    return begun.join(' ');
  };
  const free = (): void => {
    collector.isBusy = false;
  };
  await look();
  bootMs = 3_600_000;
  assert.equal(await look(), 'a');
  assert.equal(await look(), 'a', 'what is due waits for the clean-up that is under way');
  free();
  refusal = new PinfoldError('conflict', { detail: 'A person was quicker.' });
  assert.equal(await look(), 'a');
  refusal = undefined;
  bootMs = 2 * 3_600_000;
  assert.equal(
    await look(),
    'a b',
    'the one that was put off longest is next, though the first is due again',
  );
  free();
  assert.equal(await look(), 'a b c');
  free();
  assert.equal(await look(), 'a b c a');
  free();
  assert.equal(await look(), 'a b c a');
  store.close();
});

test('work is kept at so much a second, and is let go of when it is to stop', async () => {
  let nowMs = 0;
  const clock = { now: () => new Date(nowMs), monotonicMs: () => nowMs, bootMs: () => nowMs };
  const throttle = new Throttle(clock, 100);
  assert.equal(await throttle.take(50), true);
  nowMs = 500;
  assert.equal(await throttle.take(1_000_000), true, 'half a second has paid for the first fifty');
  const waiting = throttle.take(1);
  throttle.stop();
  assert.equal(await waiting, false);
});
