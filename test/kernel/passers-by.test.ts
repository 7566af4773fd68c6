import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, unlinkSync } from 'node:fs';
import test from 'node:test';
import { whyLost } from '../../src/agent/edit/displaced.ts';
import { releaseStaging } from '../../src/agent/machine/release-staging.ts';
import { carryOut } from '../../src/agent/operation/carry-out.ts';
import { pinRequest, unpinRequest } from '../../src/agent/operation/request.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import { pause } from '../../src/kernel/sys/pause.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import { isInDoubt } from '../../src/model/hazard.ts';
import { limits } from '../../src/model/limits.ts';
import { stagingName } from '../../src/model/path.ts';
import type { StepName } from '../../src/model/step.ts';
import { createMap, isAlive, pinnedMap } from '../support/bpftool.ts';
import { compileC } from '../support/c-program.ts';
import { hold } from '../support/hold.ts';
import { type Child, start } from '../support/process.ts';
import { asking, at, benchForFile, failsWith, openBench, path } from './changes-fixture.ts';

const bench = benchForFile();
const { changes } = bench;
const named = (name: string): string => `${bench.bpffs.path}/${name}`;
const asked = { mount: undefined, context: asking() };

/** Somebody who has a map open, and closes it a moment after a step has been passed. */
async function passer(id: number, step: StepName): Promise<Child> {
  const child = start(compileC('pass-by'), ['once', String(id)]);
  await child.line(/^ready$/);
  at(bench, step, () => child.kill('SIGUSR1'));
  return child;
}

test('who has a map open in passing is not what keeps it: its last pin stays', async () => {
  const { id } = createMap(named('only'));
  for (const step of ['unpin.unlinked', 'unpin.checked_again'] as const) {
    using _passer = await passer(id, step);
    assert.throws(
      () => changes.unpin(path('only'), undefined, asking()),
      failsWith('hazard', { hazards: ['last_reference'] }),
    );
    assert.deepEqual([pinnedMap(named('only')).id, isAlive('map', id)], [id, true], step);
  }
});

test('who passes by is no user of a prog_array, whatever else holds it', async () => {
  using holder = await hold(
    'map:prog_array:4:4:4:pf_passed:0',
    'prog:socket_filter:pf_passed:0',
    `pin:0:${named('tails')}`,
    `pin:1:${named('prog')}`,
  );
  const id = holder.objects[0]?.id ?? 0;
  await holder.release();
  using _passer = await passer(id, 'unpin.unlinked');
  assert.throws(
    () => changes.unpin(path('tails'), undefined, asking()),
    failsWith('hazard', { hazards: ['prog_array_emptied'] }),
  );
  assert.equal(pinnedMap(named('tails')).id, id);
});

test('of all pins of a map, removed in one group while somebody passes by, the last one stays', async () => {
  const { id } = createMap(named('group0'));
  const names = ['group0', 'group1', 'group2'];
  carryOut(
    bench.environment,
    names.slice(1).map((name) => pinRequest(path(name), { source: { kind: 'map', id } }, asked)),
  );
  using _passer = await passer(id, 'unpin.unlinked');
  const done = carryOut(
    bench.environment,
    names.map((name) => unpinRequest(path(name), asked)),
  );
  const codes = done.map((one) => ('error' in one && isPinfoldError(one.error) ? one.error.code : 'ok'));
  assert.deepEqual(codes, ['ok', 'ok', 'hazard']);
  assert.deepEqual([pinnedMap(named('group2')).id, isAlive('map', id)], [id, true]);
});

test('a batch that only somebody in passing made harmless is taken back as a whole', async () => {
  const { id } = createMap(named('line0'));
  using holder = await hold('map:hash:4:8:16:pf_held:0', `pin:0:${named('line1')}`);
  using _passer = await passer(id, 'batch.displaced_unlinked');
  const lines = ['line0', 'line1'].map((name) => ({ op: 'unpin', path: name }) as const);
  assert.throws(() => changes.batch(lines, undefined, asking()), failsWith('hazard', { kind: 'map', id }));
  assert.equal(pinnedMap(named('line0')).id, id);
  assert.equal(pinnedMap(named('line1')).id, holder.objects[0]?.id);
});

test('whoever stays is a holder, and so is another pin', async () => {
  const { id } = createMap(named('stays0'));
  using staying = start(compileC('pass-by'), ['once', String(id)]);
  await staying.line(/^ready$/);
  changes.unpin(path('stays0'), undefined, asking());
  assert.equal(existsSync(named('stays0')), false);
  assert.equal(isAlive('map', id), true);
  changes.pin(path('stays1'), undefined, { source: { kind: 'map', id } }, asking());
  changes.pin(path('stays2'), undefined, { source: { kind: 'map', id } }, asking());
  at(bench, 'unpin.checked', () => staying.kill('SIGUSR1'));
  changes.unpin(path('stays1'), undefined, asking());
  assert.deepEqual([existsSync(named('stays1')), pinnedMap(named('stays2')).id], [false, id]);
});

test('a pin that somebody removes while its removal is planned is told so, and is no hazard', () => {
  const remove: (() => void)[] = [];
  using own = openBench({
    wrap: (kernel) => {
      const { counters } = kernel;
      const readOne: typeof counters.readOne = (...of) => {
        remove.pop()?.();
        return counters.readOne(...of);
      };
      const unavailable = counters.unavailable.bind(counters);
      return { ...kernel, counters: { unavailable, readAll: counters.readAll, readOne } };
    },
  });
  const name = `${own.bpffs.path}/gone`;
  createMap(name);
  remove.push(() => unlinkSync(name));
  assert.throws(() => own.changes.unpin(path('gone'), undefined, asking()), failsWith('identity_mismatch'));
});

/** The kernel, with somebody who has a map open, and closes it as soon as that has been counted. */
function leftAfterOneCount(kernel: Kernel, passer: Child): Kernel {
  const { counters } = kernel;
  let isCounted = false;
  const readOne: typeof counters.readOne = (...of) => {
    const read = counters.readOne(...of);
    if (isCounted) return read;
    isCounted = true;
    passer.kill('SIGUSR1');
    for (const deadline = performance.now() + 30_000; performance.now() < deadline; pause(1)) {
      if (counters.readOne(...of)?.refcnt === 1n) break;
    }
    return read;
  };
  const unavailable = counters.unavailable.bind(counters);
  return { ...kernel, counters: { unavailable, readAll: counters.readAll, readOne } };
}

test('what a slot let go of is lost where only somebody in passing was counted, not otherwise', async () => {
  const { id } = createMap(named('slotted'));
  using passing = start(compileC('pass-by'), ['once', String(id)]);
  await passing.line(/^ready$/);
  using held = bench.kernel.objects.holdById('map', id);
  unlinkSync(named('slotted'));
  assert.equal(whyLost(bench.kernel, held, 0), undefined, 'whoever stays is a holder');
  assert.match(whyLost(leftAfterOneCount(bench.kernel, passing), held, 0) ?? 'kept', /nothing else holds/);
});

test('an agent that leaves keeps what only somebody in passing seemed to hold', async () => {
  using own = openBench();
  const uuid = randomUUID();
  mkdirSync(`${own.bpffs.path}/${stagingName}`, { mode: 0o700 });
  const { id } = createMap(`${own.bpffs.path}/${stagingName}/${uuid}-left`);
  using passing = start(compileC('pass-by'), ['once', String(id)]);
  await passing.line(/^ready$/);
  const kernel = leftAfterOneCount(own.kernel, passing);
  const isOwn = ({ path: place }: { readonly path: string }) => place === own.bpffs.path;
  const scanMounts = () => kernel.bpffs.scanMounts().filter(({ paths }) => paths.some(isOwn));
  const report = releaseStaging(
    { ...kernel, bpffs: { ...kernel.bpffs, scanMounts } },
    {
      uuid,
      bpffs: own.bpffs.path,
      options: { dryRun: false, accept: new Set() },
      restoring: new Set(),
    },
  );
  assert.deepEqual([report.released, report.kept.map((one) => one.hazards)], [[], [['last_reference']]]);
  assert.equal(isAlive('map', id), true);
});

test('as many references as may pass by at once are in doubt, one more is not', () => {
  const isDoubted = (left: number, going = 1): boolean => {
    const counters = { refcnt: BigInt(1 + going + left), usercnt: BigInt(1 + going) };
    return isInDoubt({ kind: 'map', type: 'hash', counters, ours: 1, going });
  };
  const { passersByMax } = limits;
  assert.deepEqual(
    [0, 1, passersByMax, passersByMax + 1].map((left) => isDoubted(left)),
    [false, true, true, false],
  );
  assert.equal(isDoubted(0, 2), true, 'the first of two may be asked about alone');
});
