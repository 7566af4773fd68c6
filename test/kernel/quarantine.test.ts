import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import test from 'node:test';
import type { ChangeRequest } from '../../src/agent/operation/request.ts';
import type { PinState } from '../../src/agent/operation/sink.ts';
import { discardRequest, restoreRequest } from '../../src/agent/quarantine/plan-quarantine.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import { parsePath } from '../../src/model/path.ts';
import type { QuarantineRecord } from '../../src/model/store.ts';
import { createMap, isAlive, pinById, pinnedMap } from '../support/bpftool.ts';
import { hold } from '../support/hold.ts';
import { until } from '../support/until.ts';
import { asking, benchForFile, failsWith, stagedIn } from './changes-fixture.ts';
import * as fixture from './quarantine-fixture.ts';

const bench = benchForFile();
const { store, environment } = bench;
const at = (name: string): string => `${bench.bpffs.path}/${name}`;

const seen = (name: string) => fixture.seen(environment, name);
const quarantine = (pin: PinState, terms?: fixture.Terms) => fixture.quarantine(environment, pin, terms);
const endGrace = () => fixture.endGrace(environment);
const now = (request: ChangeRequest) => fixture.now(environment, request);
const restore = (record: QuarantineRecord) =>
  now(restoreRequest(record, { mount: undefined, context: asking() }));
const discard = (record: QuarantineRecord, accept: readonly 'last_reference'[] = []) =>
  now(discardRequest(record, undefined, { mount: undefined, context: asking({ accept: new Set(accept) }) }));

function eventsOf(path: string): readonly string[] {
  return store.events.list({ path, limit: 100 }).map(({ type }) => type);
}

test('a pin in quarantine keeps its object, and restored it is the inode it was, as it was', async () => {
  const { id } = createMap(at('kept'));
  execFileSync('chmod', ['0640', at('kept')]);
  execFileSync('chown', ['1000:1001', at('kept')]);
  bench.changes.patch(parsePath('kept'), undefined, { labels: { app: 'x' }, owner: 'me' }, asking());
  const before = statSync(at('kept'));
  const record = quarantine(seen('kept'));
  assert.equal(existsSync(at('kept')), false);
  assert.equal(isAlive('map', id), true);
  assert.deepEqual(stagedIn(bench), [record.slot]);
  assert.equal(record.slot.endsWith(record.id), true);
  restore(record);
  const after = statSync(at('kept'));
  assert.deepEqual(
    [after.ino, after.mtimeMs, after.mode, after.uid, after.gid],
    [before.ino, before.mtimeMs, before.mode, before.uid, before.gid],
  );
  assert.equal(pinnedMap(at('kept')).id, id);
  assert.deepEqual(seen('kept').annotations, { labels: { app: 'x' }, owner: 'me', managed: false });
  assert.deepEqual(eventsOf('kept').slice(-2), ['pin.quarantined', 'pin.restored']);
  assert.equal(store.quarantine.find(record.id), undefined);
  bench.changes.unpin(parsePath('kept'), undefined, asking({ force: true }));
});

test('a name that is taken by now is told, and what is in quarantine stays there', () => {
  createMap(at('taken'));
  const record = quarantine(seen('taken'));
  const { id } = createMap(at('taken'));
  assert.throws(
    () => restore(record),
    (error: unknown) => {
      assert.ok(isPinfoldError(error, 'pin_exists'), String(error));
      assert.match(error.message, new RegExp(`holds hash map ${id} `));
      return true;
    },
  );
  assert.deepEqual(stagedIn(bench), [record.slot]);
  execFileSync('rm', [at('taken')]);
  mkdirSync(at('taken'));
  assert.throws(() => restore(record), failsWith('is_a_directory'));
  rmdirSync(at('taken'));
  symlinkSync('kept', at('taken'));
  assert.throws(() => restore(record), failsWith('symlink'));
  unlinkSync(at('taken'));
  restore(record);
  bench.changes.unpin(parsePath('taken'), undefined, asking({ force: true }));
});

test('directories that were removed meanwhile are made again for a pin that is restored', () => {
  mkdirSync(at('gone/deep'), { recursive: true });
  createMap(at('gone/deep/pin'));
  const record = quarantine(seen('gone/deep/pin'));
  rmdirSync(at('gone/deep'));
  rmdirSync(at('gone'));
  restore(record);
  assert.equal(existsSync(at('gone/deep/pin')), true);
  const again = quarantine(seen('gone/deep/pin'));
  execFileSync('rm', ['-r', at('gone')]);
  createMap(at('gone'));
  assert.throws(() => restore(again), failsWith('not_a_directory'));
  unlinkSync(at('gone'));
  mkdirSync(at('away'));
  symlinkSync('away', at('gone'));
  assert.throws(() => restore(again), failsWith('symlink'));
  assert.deepEqual(readdirSync(at('away')), [], 'nothing is made where a link leads');
  unlinkSync(at('gone'));
  mkdirSync(at('gone'));
  execFileSync('mount', ['-t', 'tmpfs', 'pf-over', at('gone')]);
  try {
    assert.throws(() => restore(again), failsWith('crosses_mount'));
  } finally {
    execFileSync('umount', [at('gone')]);
  }
  assert.deepEqual(stagedIn(bench), [again.slot], 'it is in quarantine all the time');
  restore(again);
  assert.equal(existsSync(at('gone/deep/pin')), true);
  execFileSync('rm', ['-r', at('gone'), at('away')]);
});

test('removing from quarantine names the hazard, and frees the object once that is accepted', async () => {
  const { id } = createMap(at('final'));
  const record = quarantine(seen('final'));
  assert.throws(() => discard(record), failsWith('hazard', { hazards: ['last_reference'], id }));
  assert.deepEqual(stagedIn(bench), [record.slot]);
  discard(record, ['last_reference']);
  await until('the map is freed', () => !isAlive('map', id));
  const [event] = store.events.list({ types: ['pin.discarded'], kind: 'map', id, limit: 1 });
  assert.equal(event?.before?.['path'], 'final');
  assert.throws(() => restore(record), failsWith('quarantine_not_found'));
});

test('what is held, claimed, too young or another than it was does not go into quarantine', async () => {
  using holder = await hold('map:hash:4:8:16:pf_gc_held:0', `pin:0:${at('held')}`);
  assert.throws(() => quarantine(seen('held')), failsWith('conflict', { still: 'held' }));
  createMap(at('young'));
  const young = seen('young');
  assert.throws(
    () => quarantine(young, { minAgeMs: 1000, ageMs: () => 999 }),
    failsWith('conflict', { still: 'too_young' }),
  );
  execFileSync('rm', [at('young')]);
  createMap(at('young'));
  assert.throws(() => quarantine(young), failsWith('identity_mismatch'));
  assert.equal(store.quarantine.count({}), 0);
  for (const name of ['held', 'young']) assert.equal(existsSync(at(name)), true);
  await holder.release();
  execFileSync('rm', [at('held'), at('young')]);
});

test('all pins of an object go, one after the other, and a holder keeps all of them', async () => {
  const { id } = createMap(at('one'));
  pinById('map', id, at('two'));
  linkSync(at('two'), at('two-again'));
  const pins = ['one', 'two', 'two-again'].map(seen);
  for (const pin of pins) quarantine(pin, { others: pins.filter((other) => other !== pin) });
  assert.equal(isAlive('map', id), true);
  const holder = await hold(`id:map:${id}`);
  await endGrace();
  assert.deepEqual(stagedIn(bench), []);
  for (const name of ['one', 'two', 'two-again']) assert.equal(pinnedMap(at(name)).id, id);
  await holder.release();
  const again = ['one', 'two', 'two-again'].map(seen);
  for (const pin of again) quarantine(pin, { others: again.filter((other) => other !== pin) });
  await endGrace();
  assert.deepEqual(stagedIn(bench), []);
  await until('the map is freed', () => !isAlive('map', id));
});

test('a pin that was planned with others does not go when one of them was swapped for a holder', async () => {
  const { id } = createMap(at('left'));
  pinById('map', id, at('right'));
  const [left, right] = [seen('left'), seen('right')];
  const holder = await hold(`id:map:${id}`);
  execFileSync('rm', [at('right')]);
  // The kernel counts as many references as there were pins.
  assert.throws(() => quarantine(left, { others: [right] }), failsWith('conflict', { still: 'held' }));
  assert.equal(pinnedMap(at('left')).id, id);
  await holder.release();
  execFileSync('rm', [at('left')]);
});

test('after grace, a pin whose name is somebody else’s by now waits for a person', async () => {
  const { id } = createMap(at('waits'));
  const record = quarantine(seen('waits'));
  createMap(at('waits'));
  const holder = await hold(`id:map:${id}`);
  await endGrace();
  assert.equal(store.quarantine.find(record.id)?.dueBoottimeMs, null);
  assert.match(store.quarantine.find(record.id)?.why ?? '', /another holder.*Cannot restore "waits"/);
  await holder.release();
  discard(record, ['last_reference']);
  execFileSync('rm', [at('waits')]);
});
