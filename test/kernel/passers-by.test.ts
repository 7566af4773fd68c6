import assert from 'node:assert/strict';
import { existsSync, unlinkSync } from 'node:fs';
import test from 'node:test';
import { carryOut } from '../../src/agent/operation/carry-out.ts';
import { pinRequest, unpinRequest } from '../../src/agent/operation/request.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import { isInDoubt } from '../../src/model/hazard.ts';
import { limits } from '../../src/model/limits.ts';
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
