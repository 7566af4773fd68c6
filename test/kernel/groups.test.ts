import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, linkSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import test from 'node:test';
import { carryOut, type Done } from '../../src/agent/operation/carry-out.ts';
import { PinChanges } from '../../src/agent/operation/changes.ts';
import {
  type ChangeRequest,
  makeDirectoryRequest,
  patchRequest,
  pinRequest,
  unpinRequest,
} from '../../src/agent/operation/request.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import { limits } from '../../src/model/limits.ts';
import { createMap, isAlive, pinnedMap } from '../support/bpftool.ts';
import { hold } from '../support/hold.ts';
import { sqlite3 } from '../support/store.ts';
import { asking, benchForFile, killNow, openBench, path, stagedIn } from './changes-fixture.ts';

const bench = benchForFile();
const at = (name: string): string => `${bench.bpffs.path}/${name}`;
const asked = { mount: undefined, context: asking() };
const pin = (name: string, id: number, more: object = {}): ChangeRequest =>
  pinRequest(path(name), { source: { kind: 'map', id }, ...more }, asked);
const unpin = (name: string): ChangeRequest => unpinRequest(path(name), asked);
const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

/** `ok`, or the code of the refusal. */
function codeOf(done: Done): string {
  if ('result' in done) return 'ok';
  if (isPinfoldError(done.error)) return done.error.code;
  throw done.error;
}

const together = (...requests: readonly ChangeRequest[]): readonly string[] =>
  carryOut(bench.environment, requests).map(codeOf);

/** How many intents sqlite3 sees open, each time a step is passed. */
function openIntentsAt(step: string, act: () => void): readonly number[] {
  const seen: number[] = [];
  bench.onStep = (reached) => {
    if (reached !== step) return;
    seen.push(Number(sqlite3(bench.database, `SELECT count(*) FROM operation WHERE outcome = 'running'`)));
  };
  act();
  return seen;
}

test('all intents of a group are on disk before the first of its names changes', async () => {
  using holder = await hold('map:hash:4:8:16:pf_group:0');
  const id = holder.objects[0]?.id ?? 0;
  const requests = numbers(5).map((index) => pin(`together${index}`, id));
  const seen = openIntentsAt('pin.staged', () =>
    assert.deepEqual(together(...requests), Array(5).fill('ok')),
  );
  assert.deepEqual(seen, Array(5).fill(5));
  assert.deepEqual(
    numbers(5).map((index) => pinnedMap(at(`together${index}`)).id),
    Array(5).fill(id),
  );
  assert.deepEqual(together(...numbers(5).map((index) => unpin(`together${index}`))), Array(5).fill('ok'));
});

test('a group is as large as its limit, and what is one over goes with the next', async () => {
  using holder = await hold('map:hash:4:8:16:pf_many:0');
  const id = holder.objects[0]?.id ?? 0;
  const count = limits.changesAGroupMax + 1;
  const requests = numbers(count).map((index) => pin(`many${index}`, id));
  const seen = openIntentsAt('pin.named', () =>
    assert.ok(together(...requests).every((code) => code === 'ok')),
  );
  assert.deepEqual(seen, [...Array(limits.changesAGroupMax).fill(limits.changesAGroupMax), 1]);
  assert.ok(together(...numbers(count).map((index) => unpin(`many${index}`))).every((code) => code === 'ok'));
});

test('whoever asks to remove all pins of an object at once keeps the last', () => {
  const { id } = createMap(at('last0'));
  assert.deepEqual(together(pin('last1', id), pin('last2', id), pin('last3', id)), ['ok', 'ok', 'ok']);
  const codes = together(...numbers(4).map((index) => unpin(`last${index}`)));
  assert.deepEqual(codes, ['ok', 'ok', 'ok', 'hazard']);
  assert.deepEqual([pinnedMap(at('last3')).id, isAlive('map', id)], [id, true]);
  assert.equal(existsSync(at('last0')), false);
});

test('a pin asked for together with the removal of another is no holder yet', () => {
  const { id } = createMap(at('old'));
  assert.deepEqual(together(pin('new', id), unpin('old')), ['ok', 'hazard']);
  assert.deepEqual(together(unpin('old')), ['ok']);
  assert.equal(pinnedMap(at('new')).id, id);
});

test('what fails in a group fails alone', async () => {
  using holder = await hold('map:hash:4:8:16:pf_alone:0');
  const id = holder.objects[0]?.id ?? 0;
  createMap(at('taken'), { name: 'pf_taken' });
  mkdirSync(at('dir'));
  const codes = together(
    pin('good1', id),
    pin('taken', id),
    pin('dir', id),
    pin('no/where', id),
    unpin('missing'),
    unpin('taken'),
    pin('good2', id),
  );
  // Two are of one path: the second of them begins another group.
  const refused = ['pin_exists', 'is_a_directory', 'parent_not_found', 'pin_not_found', 'hazard'];
  assert.deepEqual(codes, ['ok', ...refused, 'ok']);
  assert.deepEqual(readdirSync(bench.bpffs.path).includes('good2'), true);
  assert.deepEqual(stagedIn(bench), []);
});

test('a defect in the middle of one takes back that one, and the others are applied', async () => {
  using holder = await hold('map:hash:4:8:16:pf_defect:0');
  const id = holder.objects[0]?.id ?? 0;
  let passed = 0;
  bench.onStep = (step) => {
    if (step === 'pin.named' && ++passed === 2) throw new Error('a defect at this step');
  };
  const [one, two, three] = carryOut(bench.environment, [pin('d1', id), pin('d2', id), pin('d3', id)]);
  assert.ok(one !== undefined && 'result' in one && three !== undefined && 'result' in three);
  assert.ok(two !== undefined && 'error' in two && two.error instanceof Error);
  assert.deepEqual(
    ['d1', 'd2', 'd3'].map((name) => existsSync(at(name))),
    [true, false, true],
  );
  const outcomes = sqlite3(bench.database, 'SELECT outcome FROM operation ORDER BY seq DESC LIMIT 3');
  assert.deepEqual(outcomes.split('\n'), ['applied', 'not_applied', 'applied']);
});

test('what was done in a mount that goes while others are at work is taken back', async () => {
  using own = openBench();
  using holder = await hold('map:hash:4:8:16:pf_gone:0');
  const id = holder.objects[0]?.id ?? 0;
  let passed = 0;
  own.onStep = (step) => {
    if (step === 'pin.named' && ++passed === 3) execFileSync('umount', ['-l', own.bpffs.path]);
  };
  const done = carryOut(own.environment, [pin('g1', id), pin('g2', id), pin('g3', id)]);
  assert.deepEqual(done.map(codeOf), Array(3).fill('mount_unavailable'));
  const outcomes = sqlite3(own.database, 'SELECT DISTINCT outcome FROM operation');
  assert.equal(outcomes, 'not_applied');
  assert.deepEqual(own.store.pins.listPresent(), []);
  assert.deepEqual(own.kernel.fds.transient(), []);
});

test('changes of one path keep their order, whatever else is asked for in the same turn', async () => {
  using holder = await hold('map:hash:4:8:16:pf_order:0');
  const id = holder.objects[0]?.id ?? 0;
  const codes = together(
    pin('path', id),
    unpin('path'),
    unpin('path'),
    pin('other', id),
    pin('path', id, { labels: { turn: 'last' } }),
    patchRequest(path('path'), { path: 'elsewhere' }, asked),
    makeDirectoryRequest(path('made'), {}, asked),
    pin('made/below', id),
  );
  assert.deepEqual(codes, ['ok', 'ok', 'pin_not_found', 'ok', 'ok', 'ok', 'ok', 'ok']);
  assert.deepEqual([existsSync(at('path')), pinnedMap(at('elsewhere')).id], [false, id]);
});

test('names of one inode go one after the other, and the last one stays', () => {
  const { id } = createMap(at('name1'));
  linkSync(at('name1'), at('name2'));
  createMap(at('bystander'), { name: 'pf_by' });
  assert.deepEqual(together(unpin('bystander'), unpin('name1'), unpin('name2')), ['hazard', 'ok', 'hazard']);
  assert.equal(pinnedMap(at('name2')).id, id);
});

test('what is asked for in one turn waits for its end; more than the limit is turned away', async () => {
  const changes = new PinChanges(bench.environment, () => undefined);
  const names = numbers(limits.changesWaitingMax + 1).map((index) => path(`absent${index}`));
  const asks = names.map((name) => changes.unpin(name, undefined, asking()));
  const ends = await Promise.allSettled(asks);
  const codes = ends.map((end) => (end.status === 'rejected' ? end.reason.code : 'ok'));
  assert.deepEqual([new Set(codes.slice(0, -1)), codes.at(-1)], [new Set(['pin_not_found']), 'overloaded']);
});

test('a defect before a turn’s changes is told to all who wait, and the next turn works', async () => {
  using holder = await hold('map:hash:4:8:16:pf_next:0');
  const source = { kind: 'map', id: holder.objects[0]?.id ?? 0 } as const;
  let isBroken = true;
  const changes = new PinChanges(bench.environment, () => {
    if (isBroken) throw new Error('a defect');
  });
  const ask = () => changes.pin(path('next'), undefined, { source }, asking());
  const refused = await Promise.allSettled([ask(), ask()]);
  assert.deepEqual(
    refused.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  isBroken = false;
  const [first, again] = await Promise.all([ask(), ask()]);
  assert.deepEqual([first.created, again.created, again.operationId], [true, false, undefined]);
});

test('the counters of an object are read as often for many of a group as for one', async () => {
  let readings = 0;
  using own = openBench({
    wrap: (kernel) => {
      const { counters } = kernel;
      const readOne: typeof counters.readOne = (...of) => {
        readings++;
        return counters.readOne(...of);
      };
      const counting = {
        unavailable: counters.unavailable.bind(counters),
        readAll: counters.readAll,
        readOne,
      };
      return { ...kernel, counters: counting };
    },
  });
  using holder = await hold('map:hash:4:8:16:pf_often:0');
  const id = holder.objects[0]?.id ?? 0;
  carryOut(own.environment, [pinRequest(path('stays'), { source: { kind: 'map', id } }, asked)]);
  const readingsOf = (count: number): number => {
    const names = numbers(count).map((index) => `often${index}`);
    const request = { source: { kind: 'map', id } } as const;
    carryOut(
      own.environment,
      names.map((name) => pinRequest(path(name), request, asked)),
    );
    readings = 0;
    const done = carryOut(own.environment, names.map(unpin));
    assert.deepEqual(done.map(codeOf), Array(count).fill('ok'));
    return readings;
  };
  assert.deepEqual([readingsOf(1), readingsOf(8)], [3, 3]);
  // Where a process alone keeps it, it is looked twice whether that stays.
  carryOut(own.environment, [unpin('stays')]);
  const most = 3 + 2 * limits.recountPausesMs.length;
  assert.deepEqual([readingsOf(1), readingsOf(8) <= most], [most, true]);
});

test('what is done in a directory that is moved away is taken back, and nothing else', async () => {
  using holder = await hold('map:hash:4:8:16:pf_away:0');
  const id = holder.objects[0]?.id ?? 0;
  mkdirSync(at('stays'));
  mkdirSync(at('goes'));
  createMap(at('goes/old'), { name: 'pf_old' });
  assert.deepEqual(together(pin('goes/second', pinnedMap(at('goes/old')).id)), ['ok']);
  let passed = 0;
  bench.onStep = (step) => {
    if (step === 'pin.named' && ++passed === 1) renameSync(at('goes'), at('gone'));
  };
  const codes = together(pin('stays/a', id), pin('goes/b', id), unpin('goes/old'), pin('stays/c', id));
  assert.deepEqual(codes, ['ok', 'parent_not_found', 'parent_not_found', 'ok']);
  assert.deepEqual(readdirSync(at('stays')).sort(), ['a', 'c']);
  assert.deepEqual(readdirSync(at('gone')).sort(), ['old', 'second']);
});

test('what counted on a pin that is taken back is taken back, too', async () => {
  using holder = await hold('map:hash:4:8:16:pf_counted:0');
  const id = holder.objects[0]?.id ?? 0;
  mkdirSync(at('moves'));
  assert.deepEqual(together(pin('only', id)), ['ok']);
  bench.onStep = (step) => {
    // From then on nobody but the two pins holds the map; and the new one is lost from sight.
    if (step === 'pin.named') killNow(holder.pid);
    if (step === 'unpin.unlinked') renameSync(at('moves'), at('moved'));
  };
  assert.deepEqual(together(pin('moves/new', id), unpin('only')), ['parent_not_found', 'hazard']);
  assert.deepEqual([pinnedMap(at('only')).id, isAlive('map', id)], [id, true]);
  assert.deepEqual(readdirSync(at('moved')), []);
});
