import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, linkSync, mkdirSync, statSync } from 'node:fs';
import test from 'node:test';
import type { StepName } from '../../src/model/step.ts';
import { createMap, isAlive, pinnedMap } from '../support/bpftool.ts';
import { hold } from '../support/hold.ts';
import { until } from '../support/until.ts';
import { asking, at as atStep, benchForFile, failsWith, path } from './changes-fixture.ts';

const bench = benchForFile();
const { changes } = bench;
const at = (name: string): string => `${bench.bpffs.path}/${name}`;

function rename(
  from: string,
  to: string,
  more: Parameters<typeof changes.patch>[2] = {},
  context = asking(),
) {
  return changes.patch(path(from), undefined, { path: to, ...more }, context);
}

test('a pin goes to another directory with its inode, labels and owner', () => {
  const { id } = createMap(at('start'));
  mkdirSync(at('dir'));
  changes.patch(path('start'), undefined, { labels: { a: 'b' }, owner: 'me' }, asking());
  const inode = statSync(at('start')).ino;
  const { pin } = rename('start', 'dir/end');
  assert.equal(existsSync(at('start')), false);
  assert.equal(pinnedMap(at('dir/end')).id, id);
  assert.equal(statSync(at('dir/end')).ino, inode);
  assert.deepEqual([pin?.path, pin?.labels, pin?.owner, pin?.managed], ['dir/end', { a: 'b' }, 'me', false]);
  const [event] = bench.store.events.list({ path: 'dir/end', limit: 1 });
  assert.deepEqual(
    [event?.type, event?.before?.['path'], event?.after?.['path']],
    ['pin.renamed', 'start', 'dir/end'],
  );
});

test('a rename onto itself changes nothing', () => {
  createMap(at('self'));
  const result = rename('self', 'self');
  assert.equal(result.operationId, undefined);
  assert.equal(result.pin?.path, 'self');
});

test('a name that is taken is not taken away', () => {
  createMap(at('from'));
  const { id } = createMap(at('to'));
  mkdirSync(at('directory'));
  assert.throws(() => rename('from', 'to'), failsWith('pin_exists'));
  assert.throws(() => rename('from', 'directory', { replace: true }), failsWith('is_a_directory'));
  assert.equal(pinnedMap(at('to')).id, id);
});

test('missing directories are made only when they may be, and a pin is no directory', () => {
  const { id } = createMap(at('deep'));
  assert.throws(() => rename('deep', 'a/b/c'), failsWith('parent_not_found'));
  assert.throws(() => rename('deep', 'deep/inside', { parents: true }), failsWith('not_a_directory'));
  rename('deep', 'a/b/c', { parents: true });
  assert.equal(pinnedMap(at('a/b/c')).id, id);
});

test('what is displaced is checked as in a replace', async () => {
  const moving = createMap(at('moving'));
  const alone = createMap(at('alone'));
  assert.throws(
    () => rename('moving', 'alone', { replace: true }),
    failsWith('hazard', { hazards: ['last_reference'], id: alone.id, path: 'alone' }),
  );
  assert.equal(pinnedMap(at('moving')).id, moving.id);
  assert.equal(pinnedMap(at('alone')).id, alone.id);
  rename('moving', 'alone', { replace: true }, asking({ accept: new Set(['last_reference']) }));
  assert.equal(pinnedMap(at('alone')).id, moving.id);
  assert.equal(existsSync(at('moving')), false);
  await until('the displaced map is freed', () => !isAlive('map', alone.id));
});

test('a hard link may displace its own other name', () => {
  const { id } = createMap(at('first'));
  linkSync(at('first'), at('second'));
  assert.throws(() => rename('first', 'second'), failsWith('pin_exists'));
  rename('first', 'second', { replace: true });
  assert.equal(existsSync(at('first')), false);
  assert.equal(pinnedMap(at('second')).id, id);
  assert.equal(statSync(at('second')).nlink, 1);
});

test('permissions and a new name in one request are one operation', () => {
  createMap(at('both'));
  const { pin, operationId } = rename('both', 'both-new', { mode: '0644', labels: { x: 'y' } });
  assert.deepEqual([pin?.path, pin?.mode, pin?.labels], ['both-new', '0644', { x: 'y' }]);
  assert.equal(statSync(at('both-new')).mode & 0o777, 0o644);
  assert.equal(changes.operation(operationId ?? '')?.kind, 'rename');
  createMap(at('in-the-way'));
  bench.onStep = (step) =>
    void (step === 'rename.intent_committed' && execFileSync('mv', [at('in-the-way'), at('target')]));
  assert.throws(() => rename('both-new', 'target', { mode: '0600' }), failsWith('pin_exists'));
  assert.equal(statSync(at('both-new')).mode & 0o777, 0o644, 'the mode is put back');
});

test('a pin that another hand puts in either place is never destroyed', async (t) => {
  const expected: readonly (readonly [StepName, 'from' | 'to', string | undefined])[] = [
    ['rename.checked', 'from', 'identity_mismatch'],
    ['rename.intent_committed', 'from', 'identity_mismatch'],
    ['rename.intent_committed', 'to', 'pin_exists'],
    ['rename.renamed', 'from', undefined],
    ['rename.checked_again', 'from', undefined],
    ['rename.settled', 'from', undefined],
    ['rename.settled', 'to', undefined],
  ];
  for (const [step, end, code] of expected) {
    await t.test(`${step}, ${end}`, async () => {
      const name = `${step.replace('.', '-')}-${end}`;
      using holder = await hold('map:hash:4:8:16:pf_mine:0', `pin:0:${at(`${name}-a`)}`);
      const foreign = createMap(at(`${name}-foreign`), { name: 'pf_foreign' });
      const there = end === 'from' ? `${name}-a` : `${name}-b`;
      atStep(bench, step, () => execFileSync('mv', [at(`${name}-foreign`), at(there)]));
      const act = () => rename(`${name}-a`, `${name}-b`);
      if (code === undefined) act();
      else assert.throws(act, failsWith(code));
      assert.equal(pinnedMap(at(there)).id, foreign.id);
      assert.equal(isAlive('map', holder.objects[0]?.id ?? 0), true);
    });
  }
});

test('a foreign pin at the new name is not displaced in place of the one that was meant', async () => {
  using holder = await hold(
    'map:hash:4:8:16:pf_mine:0',
    'map:hash:4:8:16:pf_old:0',
    `pin:0:${at('src')}`,
    `pin:1:${at('dst')}`,
  );
  const foreign = createMap(at('foreign'), { name: 'pf_foreign' });
  atStep(bench, 'rename.intent_committed', () => execFileSync('mv', [at('foreign'), at('dst')]));
  assert.throws(() => rename('src', 'dst', { replace: true }), failsWith('identity_mismatch'));
  assert.equal(pinnedMap(at('dst')).id, foreign.id);
  assert.equal(pinnedMap(at('src')).id, holder.objects[0]?.id);
});
