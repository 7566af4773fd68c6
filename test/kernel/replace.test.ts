import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, linkSync, statSync } from 'node:fs';
import test from 'node:test';
import type { StepName } from '../../src/model/step.ts';
import { createMap, isAlive, pinnedMap } from '../support/bpftool.ts';
import { hold } from '../support/hold.ts';
import { until } from '../support/until.ts';
import { asking, at as atStep, benchForFile, failsWith, killNow, path } from './changes-fixture.ts';

const bench = benchForFile();
const { changes } = bench;
const at = (name: string): string => `${bench.bpffs.path}/${name}`;

/** A process that holds two maps; the first is pinned under the name. */
async function twoMaps(name: string) {
  const holder = await hold('map:hash:4:8:16:pf_old:0', 'map:hash:4:8:16:pf_new:0', `pin:0:${at(name)}`);
  const [old = 0, fresh = 0] = holder.objects.map(({ id }) => id);
  return { holder, old, fresh, [Symbol.dispose]: () => holder[Symbol.dispose]() };
}

function replace(name: string, id: number, context: Parameters<typeof asking>[0] = {}) {
  return changes.pin(path(name), undefined, { source: { kind: 'map', id }, replace: true }, asking(context));
}

test('another object takes the name in one step: it never vanishes and one event tells of it', async () => {
  using maps = await twoMaps('swap');
  const seen = new Set<number>();
  bench.onStep = () => void seen.add(pinnedMap(at('swap')).id);
  const result = replace('swap', maps.fresh);
  assert.deepEqual([...seen], [maps.old, maps.fresh]);
  assert.equal(result.created, false);
  assert.equal(result.pin?.id, maps.fresh);
  // Nobody observes here: what it met is told before it.
  const [met, event, ...more] = bench.store.events.list({ path: 'swap', limit: 10 });
  assert.deepEqual([met?.type, met?.after?.['id'], met?.actor], ['pin.created', maps.old, 'kernel']);
  assert.deepEqual(
    [event?.type, event?.before?.['id'], event?.after?.['id']],
    ['pin.replaced', maps.old, maps.fresh],
  );
  assert.deepEqual(more, []);
});

test('what is omitted stays as it was: permissions, labels and owner', async () => {
  using maps = await twoMaps('keep');
  changes.patch(
    path('keep'),
    undefined,
    { mode: '0644', uid: 1000, gid: 1001, labels: { a: 'b' }, owner: 'o' },
    asking(),
  );
  const { pin } = replace('keep', maps.fresh);
  assert.deepEqual(
    [pin?.mode, pin?.uid, pin?.gid, pin?.labels, pin?.owner],
    ['0644', 1000, 1001, { a: 'b' }, 'o'],
  );
  const { mode, uid, gid } = statSync(at('keep'));
  assert.deepEqual([mode & 0o777, uid, gid], [0o644, 1000, 1001]);
});

test('an object that only this pin holds is not displaced unless that is accepted', async () => {
  using maps = await twoMaps('held');
  const { id } = createMap(at('alone'), { name: 'pf_alone' });
  assert.throws(() => replace('alone', maps.fresh), failsWith('hazard', { hazards: ['last_reference'], id }));
  assert.equal(pinnedMap(at('alone')).id, id);
  replace('alone', maps.fresh, { accept: new Set(['last_reference']) });
  assert.equal(pinnedMap(at('alone')).id, maps.fresh);
  await until('the displaced map is freed', () => !isAlive('map', id));
});

test('a holder that lets go while its pin is displaced gets the name back for its object', async () => {
  using maps = await twoMaps('unused');
  const owner = await hold('map:hash:4:8:16:pf_owned:0', `pin:0:${at('owned')}`);
  const id = owner.objects[0]?.id ?? 0;
  chmodSync(at('owned'), 0o640);
  chownSync(at('owned'), 1000, 1001);
  atStep(bench, 'replace.exchanged', () => killNow(owner.pid));
  assert.throws(() => replace('owned', maps.fresh), failsWith('hazard'));
  assert.equal(pinnedMap(at('owned')).id, id);
  const { mode, uid, gid } = statSync(at('owned'));
  assert.deepEqual([mode & 0o777, uid, gid], [0o640, 1000, 1001]);
  owner[Symbol.dispose]();
});

test('an object let go when its pin lost its name is pinned again, and the new one gives way', async () => {
  using maps = await twoMaps('unused-too');
  const owner = await hold('map:hash:4:8:16:pf_late:0', `pin:0:${at('late')}`);
  const id = owner.objects[0]?.id ?? 0;
  changes.patch(path('late'), undefined, { labels: { keep: 'me' } }, asking());
  atStep(bench, 'replace.displaced_unlinked', () => killNow(owner.pid));
  assert.throws(() => replace('late', maps.fresh), failsWith('hazard'));
  assert.equal(pinnedMap(at('late')).id, id);
  const { pin } = changes.patch(path('late'), undefined, { mode: '0600' }, asking());
  assert.deepEqual(pin?.labels, { keep: 'me' }, 'labels follow to the inode that was made again');
  owner[Symbol.dispose]();
});

test('a hard link of what is displaced keeps it', async () => {
  using maps = await twoMaps('x');
  const { id } = createMap(at('linked'), { name: 'pf_linked' });
  linkSync(at('linked'), at('other-name'));
  replace('linked', maps.fresh);
  assert.equal(pinnedMap(at('linked')).id, maps.fresh);
  assert.equal(pinnedMap(at('other-name')).id, id);
});

test('a program may take the name of a map', async () => {
  using holder = await hold('map:hash:4:8:16:pf_m:0', 'prog:socket_filter:pf_p', `pin:0:${at('any')}`);
  const id = holder.objects[1]?.id ?? 0;
  const request = { source: { kind: 'program', id }, replace: true } as const;
  assert.equal(changes.pin(path('any'), undefined, request, asking()).pin?.kind, 'program');
});

test('a pin another hand puts in its place is never destroyed, wherever that happens', async (t) => {
  const expected: readonly (readonly [StepName, string | undefined])[] = [
    ['replace.source_held', 'identity_mismatch'],
    ['replace.intent_committed', 'identity_mismatch'],
    ['replace.staged', 'identity_mismatch'],
    ['replace.attributes_set', 'identity_mismatch'],
    ['replace.exchanged', undefined],
    ['replace.checked', undefined],
    ['replace.displaced_unlinked', undefined],
    ['replace.settled', undefined],
  ];
  for (const [step, code] of expected) {
    await t.test(step, async () => {
      const name = step.replace('.', '-');
      using maps = await twoMaps(name);
      const foreign = createMap(at(`${name}-foreign`), { name: 'pf_foreign' });
      atStep(bench, step, () => execFileSync('mv', [at(`${name}-foreign`), at(name)]));
      const act = () => replace(name, maps.fresh);
      if (code === undefined) act();
      else assert.throws(act, failsWith(code));
      assert.equal(pinnedMap(at(name)).id, foreign.id);
    });
  }
});

test('a name that vanishes meanwhile is a conflict, and nothing is made', async () => {
  using maps = await twoMaps('vanishes');
  atStep(bench, 'replace.attributes_set', () => execFileSync('rm', [at('vanishes')]));
  assert.throws(() => replace('vanishes', maps.fresh), failsWith('conflict'));
  assert.throws(() => statSync(at('vanishes')), /ENOENT/);
});
