import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, linkSync, mkdirSync, renameSync, rmdirSync, statSync } from 'node:fs';
import test from 'node:test';
import type { StepName } from '../../src/model/step.ts';
import { createMap, isAlive, pinById, pinnedMap } from '../support/bpftool.ts';
import { hold } from '../support/hold.ts';
import { until } from '../support/until.ts';
import {
  asking,
  at as atStep,
  benchForFile,
  failsWith,
  killNow,
  openBench,
  path,
  stagedIn,
} from './changes-fixture.ts';

const bench = benchForFile();
const { changes } = bench;
const at = (name: string): string => `${bench.bpffs.path}/${name}`;

test('a pin is removed while another holder keeps its object, and a removed event tells of it', async () => {
  using holder = await hold('map:hash:4:8:16:pf_unpin:0', `pin:0:${at('gone')}`);
  const result = changes.unpin(path('gone'), undefined, asking());
  assert.equal(existsSync(at('gone')), false);
  assert.equal(isAlive('map', holder.objects[0]?.id ?? 0), true);
  // Nobody observes here: what it met is told before it.
  const told = bench.store.events.list({ path: 'gone', limit: 10 });
  assert.deepEqual(
    told.map(({ type, operation_id, actor }) => [type, operation_id, actor]),
    [
      ['pin.created', undefined, 'kernel'],
      ['pin.removed', result.operationId, 'api:test'],
    ],
  );
  assert.throws(() => changes.unpin(path('gone'), undefined, asking()), failsWith('pin_not_found'));
});

test('the pin that is the last holder is not removed unless that is accepted', async () => {
  const { id } = createMap(at('last'));
  assert.throws(
    () => changes.unpin(path('last'), undefined, asking()),
    failsWith('hazard', { hazards: ['last_reference'], id }),
  );
  assert.equal(pinnedMap(at('last')).id, id);
  const plan = changes.unpin(path('last'), undefined, asking({ dryRun: true })).plan;
  assert.deepEqual(
    plan?.map(({ action, hazards }) => [action, hazards]),
    [['unpin', ['last_reference']]],
  );
  const { operationId } = changes.unpin(
    path('last'),
    undefined,
    asking({ accept: new Set(['last_reference']) }),
  );
  assert.deepEqual(changes.operation(operationId ?? '')?.accepted, ['last_reference']);
  await until('the map is freed', () => !isAlive('map', id));
});

test('force accepts every hazard and is recorded', async () => {
  const { id } = createMap(at('forced'));
  const { operationId } = changes.unpin(path('forced'), undefined, asking({ force: true }));
  assert.deepEqual(changes.operation(operationId ?? '')?.accepted, ['force']);
  await until('the map is freed', () => !isAlive('map', id));
});

test('of two pins of one object either can go, and then the other is the last', () => {
  const { id } = createMap(at('one'));
  pinById('map', id, at('two'));
  changes.unpin(path('one'), undefined, asking());
  assert.throws(() => changes.unpin(path('two'), undefined, asking()), failsWith('hazard'));
  changes.unpin(path('two'), undefined, asking({ force: true }));
});

test('a hard link loses nothing, and the last of its names is the last reference', () => {
  createMap(at('name'));
  linkSync(at('name'), at('second-name'));
  changes.unpin(path('name'), undefined, asking());
  assert.throws(() => changes.unpin(path('second-name'), undefined, asking()), failsWith('hazard'));
  changes.unpin(path('second-name'), undefined, asking({ force: true }));
});

test('a holder that lets go after the second check is missed, and the pin is made again', async () => {
  const holder = await hold('map:hash:4:8:16:pf_letgo:0', `pin:0:${at('letgo')}`);
  const id = holder.objects[0]?.id ?? 0;
  execFileSync('chmod', ['0644', at('letgo')]);
  execFileSync('chown', ['1000:1001', at('letgo')]);
  atStep(bench, 'unpin.unlinked', () => killNow(holder.pid));
  assert.throws(
    () => changes.unpin(path('letgo'), undefined, asking()),
    failsWith('hazard', { hazards: ['last_reference'] }),
  );
  assert.equal(pinnedMap(at('letgo')).id, id);
  const { mode, uid, gid } = statSync(at('letgo'));
  assert.deepEqual([mode & 0o7777, uid, gid], [0o644, 1000, 1001]);
  holder[Symbol.dispose]();
});

test('the last user reference of a prog_array is not removed by accident', async () => {
  const holder = await hold(
    'map:prog_array:4:4:4:pf_tails:0',
    'prog:socket_filter:pf_tail:0',
    `pin:0:${at('tails')}`,
    `pin:1:${at('prog')}`,
  );
  await holder.release();
  const unpin = (accept: readonly 'prog_array_emptied'[]) =>
    changes.unpin(path('tails'), undefined, asking({ accept: new Set(accept) }));
  assert.throws(() => unpin([]), failsWith('hazard', { hazards: ['prog_array_emptied'] }));
  assert.equal(pinnedMap(at('tails')).type, 'prog_array');
  unpin(['prog_array_emptied']);
  assert.equal(existsSync(at('tails')), false);
});

test('a pin that alone keeps a link attached is not removed by accident', async () => {
  const holder = await hold(
    'prog:raw_tracepoint:pf_link',
    `link:raw_tp:0:sched_switch`,
    `pin:1:${at('link')}`,
  );
  const id = holder.objects[1]?.id ?? 0;
  changes.patch(path('link'), undefined, { path: 'link-renamed' }, asking());
  await holder.release();
  assert.throws(
    () => changes.unpin(path('link-renamed'), undefined, asking()),
    failsWith('hazard', { hazards: ['last_reference', 'link_detached'], kind: 'link', id }),
  );
  changes.unpin(
    path('link-renamed'),
    undefined,
    asking({ accept: new Set(['last_reference', 'link_detached']) }),
  );
  await until('the link is gone', () => !isAlive('link', id));
});

test('where counters cannot be read nothing is ruled out, and the answer says so', () => {
  using agent = openBench({ usesIds: false });
  const { id } = createMap(`${agent.bpffs.path}/m`);
  pinById('map', id, `${agent.bpffs.path}/n`);
  assert.throws(
    () => agent.changes.unpin(path('m'), undefined, asking()),
    (thrown) => {
      failsWith('hazard', { hazards: ['last_reference'] })(thrown);
      assert.match(String(thrown), /counts are not available \(.*--pins-only\), so nothing can be ruled out/);
      return true;
    },
  );
  agent.changes.unpin(path('m'), undefined, asking({ accept: new Set(['last_reference']) }));
  assert.deepEqual(stagedIn(agent), []);
});

test('a pin another hand puts in its place is never removed, whenever that happens', async (t) => {
  const expected: readonly (readonly [StepName, string | undefined])[] = [
    ['unpin.checked', 'identity_mismatch'],
    ['unpin.intent_committed', 'identity_mismatch'],
    ['unpin.moved_aside', undefined],
    ['unpin.checked_again', undefined],
    ['unpin.unlinked', undefined],
    ['unpin.counted', undefined],
    ['unpin.settled', undefined],
  ];
  for (const [step, code] of expected) {
    await t.test(step, async () => {
      const name = step.replace('.', '-');
      using holder = await hold('map:hash:4:8:16:pf_mine:0', `pin:0:${at(name)}`);
      const foreign = createMap(at(`${name}-foreign`), { name: 'pf_foreign' });
      atStep(bench, step, () => execFileSync('mv', [at(`${name}-foreign`), at(name)]));
      const unpin = () => changes.unpin(path(name), undefined, asking());
      if (code === undefined) unpin();
      else assert.throws(unpin, failsWith(code));
      assert.equal(pinnedMap(at(name)).id, foreign.id);
      assert.equal(isAlive('map', holder.objects[0]?.id ?? 0), true);
    });
  }
});

test('what is moved aside by mistake and cannot have its name back is kept and reported', async () => {
  using holder = await hold('map:hash:4:8:16:pf_mine:0', `pin:0:${at('busy')}`);
  const second = createMap(at('second'), { name: 'pf_second' });
  const third = createMap(at('third'), { name: 'pf_third' });
  bench.onStep = (step) => {
    if (step === 'unpin.intent_committed') execFileSync('mv', [at('second'), at('busy')]);
    if (step === 'unpin.moved_aside') execFileSync('mv', [at('third'), at('busy')]);
  };
  assert.throws(() => changes.unpin(path('busy'), undefined, asking()), failsWith('outcome_unknown'));
  assert.equal(pinnedMap(at('busy')).id, third.id);
  const [staged = ''] = stagedIn(bench);
  assert.equal(pinnedMap(at(`pinfold-staging/${staged}`)).id, second.id);
  const operation = changes.operation(staged.slice(37));
  assert.equal(operation?.outcome, 'unknown');
  assert.match(operation?.detail ?? '', new RegExp(`kept as pinfold-staging/${staged}`));
  execFileSync('rm', [at(`pinfold-staging/${staged}`)]);
  assert.equal(holder.pid > 0, true);
});

test('If-Match says which pin is meant', () => {
  const { id } = createMap(at('tagged'));
  const tag =
    changes.pin(path('tagged'), undefined, { source: { kind: 'map', id } }, asking()).pin?.etag ?? '';
  execFileSync('chmod', ['0640', at('tagged')]);
  assert.throws(
    () => changes.unpin(path('tagged'), undefined, asking({ ifMatch: tag, force: true })),
    failsWith('precondition_failed'),
  );
  const now =
    changes.pin(path('tagged'), undefined, { source: { kind: 'map', id } }, asking()).pin?.etag ?? '';
  changes.unpin(path('tagged'), undefined, asking({ ifMatch: now, force: true }));
});

test('a second unpin right after the first sees the references the first has left', async () => {
  using holder = await hold('map:hash:4:8:16:pf_quick:0');
  const id = holder.objects[0]?.id ?? 0;
  for (const name of ['q1', 'q2', 'q3']) pinById('map', id, at(name));
  await holder.release();
  changes.unpin(path('q1'), undefined, asking());
  changes.unpin(path('q2'), undefined, asking());
  assert.throws(() => changes.unpin(path('q3'), undefined, asking()), failsWith('hazard'));
});

test('a directory that is removed once its last pin is gone, or moved meanwhile, is told apart', async () => {
  using holder = await hold('map:hash:4:8:16:pf_dir:0');
  const id = holder.objects[0]?.id ?? 0;
  for (const name of ['emptied', 'moving']) {
    mkdirSync(at(name));
    pinById('map', id, at(`${name}/m`));
  }
  atStep(bench, 'unpin.unlinked', () => rmdirSync(at('emptied')));
  changes.unpin(path('emptied/m'), undefined, asking());
  assert.equal(existsSync(at('emptied')), false);
  atStep(bench, 'unpin.unlinked', () => renameSync(at('moving'), at('moved')));
  assert.throws(() => changes.unpin(path('moving/m'), undefined, asking()), failsWith('parent_not_found'));
  assert.equal(pinnedMap(at('moved/m')).id, id, 'it is back where it was taken from');
});
