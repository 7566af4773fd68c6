import assert from 'node:assert/strict';
import test from 'node:test';
import { makeFindings } from '../../src/agent/finding/make-findings.ts';
import { Inventory } from '../../src/agent/inventory/inventory.ts';
import { UnheldWatch } from '../../src/agent/inventory/unheld-watch.ts';
import { KnownMounts } from '../../src/agent/observer/known-mounts.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import type { UnavailableFact } from '../../src/model/holder/facts.ts';
import { pinnableKinds } from '../../src/model/kind.ts';
import type { EventDocument } from '../../src/model/schema/event.ts';
import { forFile } from '../support/disposal.ts';
import { eventOf, openTestStore } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';

const kernel = forFile(openKernel());
const minute = 60_000;
/** What a reading of holders seems to take: so long that the next is usually ten minutes later. */
const tookMs = 5000;

/** Findings of a machine whose counters stand still, and what is seen of how they are looked for. */
interface Rig extends Disposable {
  /** How often holders were read. */
  readings(): number;
  /** Tells of events, as the agent does once they are written. */
  note(...types: EventDocument['type'][]): void;
  /** Tries the rules, some time after the last try. */
  tryAfter(ms: number): Promise<void>;
}

function rigWith(unavailable: readonly UnavailableFact[] = []): Rig {
  let readings = 0;
  let passedMs = 0;
  const clock = {
    now: () => new Date(1_795_428_000_000 + passedMs),
    monotonicMs: () => passedMs + performance.now(),
    bootMs: () => minute + passedMs,
  };
  const dir = tempDir();
  const store = openTestStore(dir.path, { clock, bootId: kernel.facts.bootId });
  const resting = restingKernel((facts) => {
    readings++;
    passedMs += tookMs;
    return { ...facts, unavailable };
  });
  const inventory = new Inventory();
  const { counters } = resting;
  const findings = makeFindings({
    kernel: resting,
    clock,
    inventory,
    store,
    known: new KnownMounts(),
    claims: { claimsOf: () => [] },
    unheld: new UnheldWatch({ counters, clock, inventory, store, bootId: kernel.facts.bootId }),
    whyNoCounters: () => undefined,
    primaryMount: () => undefined,
    isPinsOnly: false,
    thresholds: undefined,
    announce: () => undefined,
    observe: () => Promise.resolve(),
    onFailure: (error) => {
      throw error;
    },
  });
  return {
    readings: () => readings,
    note: (...types) => findings.note(store.events.append(types.map((type) => eventOf({ type })))),
    tryAfter: async (ms) => {
      passedMs += ms;
      await findings.afterPass('full');
      await findings.stop();
    },
    [Symbol.dispose]: () => {
      store.close();
      dir[Symbol.dispose]();
    },
  };
}

/** The kernel, but for counters that stay as they are now, whatever others do, and what becomes of facts. */
function restingKernel(seen: (facts: ReturnType<Kernel['holders']['read']>) => typeof facts): Kernel {
  const still = new Map(pinnableKinds.map((kind) => [kind, kernel.counters.readAll(kind)]));
  const readAll: Kernel['counters']['readAll'] = (kind) => still.get(kind) ?? kernel.counters.readAll(kind);
  const readOne: Kernel['counters']['readOne'] = (kind, id) => still.get(kind)?.get(id);
  return {
    ...kernel,
    counters: { unavailable: () => undefined, readAll, readOne },
    holders: { read: (request) => seen(kernel.holders.read(request)) },
  };
}

test('holders are read again when something came or went, not when a finding began', async () => {
  using rig = rigWith();
  await rig.tryAfter(0);
  await rig.tryAfter(minute);
  assert.equal(rig.readings(), 1);
  rig.note('finding.opened', 'finding.resolved');
  await rig.tryAfter(60 * minute);
  assert.equal(rig.readings(), 1);
  rig.note('finding.opened', 'pin.created');
  await rig.tryAfter(60 * minute);
  assert.equal(rig.readings(), 2);
});

test('holders that could not all be read are soon read again, once, and then as rarely as any', async () => {
  const broken = [{ what: 'the bpffs 0:77', reason: 'Permission denied' }];
  using rig = rigWith(broken);
  await rig.tryAfter(0);
  const readings: number[] = [];
  for (let tries = 0; tries < 12; tries++) {
    await rig.tryAfter(minute);
    readings.push(rig.readings());
  }
  assert.deepEqual(readings, [1, ...Array(10).fill(2), 3]);
  broken.length = 0;
  await rig.tryAfter(60 * minute);
  await rig.tryAfter(60 * minute);
  assert.equal(rig.readings(), 4);
});

test('what this kernel never shows of holders has nothing read again before something moves', async () => {
  using rig = rigWith([{ what: 'mappings of maps', reason: 'no iterator shows them', isLasting: true }]);
  for (let tries = 0; tries < 12; tries++) await rig.tryAfter(60 * minute);
  assert.equal(rig.readings(), 1);
  rig.note('pin.created');
  await rig.tryAfter(60 * minute);
  assert.equal(rig.readings(), 2);
});
