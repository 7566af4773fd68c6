import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { linkSync, statSync } from 'node:fs';
import test from 'node:test';
import type { PinPatch } from '../../src/model/schema/request.ts';
import type { StepName } from '../../src/model/step.ts';
import { createMap, pinnedMap } from '../support/bpftool.ts';
import { asking, at as atStep, benchForFile, failsWith, path } from './changes-fixture.ts';

const bench = benchForFile();
const { changes } = bench;
const at = (name: string): string => `${bench.bpffs.path}/${name}`;

function patch(name: string, wishes: PinPatch, context = asking()) {
  return changes.patch(path(name), undefined, wishes, context);
}

test('mode, owner and group are set on the inode and told in one changed event', () => {
  createMap(at('m'));
  const { pin, operationId } = patch('m', { mode: '4755', uid: 1000, gid: 1001 });
  const { mode, uid, gid } = statSync(at('m'));
  assert.deepEqual([mode & 0o7777, uid, gid], [0o4755, 1000, 1001]);
  assert.deepEqual([pin?.mode, pin?.uid, pin?.gid], ['4755', 1000, 1001]);
  const events = bench.store.events.list({ path: 'm', limit: 9 });
  assert.deepEqual(
    events.map(({ type, operation_id }) => [type, operation_id]),
    [
      ['pin.created', undefined],
      ['pin.changed', operationId],
    ],
    'nobody observes here, so what was met is told first',
  );
  assert.deepEqual([events[1]?.before?.['mode'], events[1]?.after?.['mode']], ['0600', '4755']);
});

test('labels given replace all, null takes the owner away, and what is omitted stays', () => {
  createMap(at('labels'));
  assert.deepEqual(patch('labels', { labels: { a: '1', b: '2' }, owner: 'me' }).pin?.labels, {
    a: '1',
    b: '2',
  });
  const second = patch('labels', { labels: { c: '3' } }).pin;
  assert.deepEqual([second?.labels, second?.owner], [{ c: '3' }, 'me']);
  assert.equal(patch('labels', { owner: null }).pin?.owner, null);
  assert.equal(patch('labels', { owner: null }).operationId, undefined, 'nothing is left to change');
});

test('labels of a hard-linked pin are seen under all its names', () => {
  createMap(at('one'));
  linkSync(at('one'), at('two'));
  patch('one', { labels: { a: 'b' } });
  assert.deepEqual(patch('two', { mode: '0640' }).pin?.labels, { a: 'b' });
});

test('a failure puts permissions back as they were', () => {
  createMap(at('undone'));
  atStep(bench, 'attributes.changed', () => {
    throw new Error('a defect at this step');
  });
  assert.throws(() => patch('undone', { mode: '0777', uid: 5, gid: 6, labels: { a: 'b' } }), /a defect/);
  const { mode, uid, gid } = statSync(at('undone'));
  assert.deepEqual([mode & 0o7777, uid, gid], [0o600, 0, 0]);
  assert.deepEqual(patch('undone', { mode: '0640' }).pin?.labels, {});
});

test('a pin that another hand puts there keeps its own permissions', async (t) => {
  for (const step of [
    'attributes.intent_committed',
    'attributes.changed',
    'attributes.settled',
  ] as const satisfies StepName[]) {
    await t.test(step, () => {
      const name = step.replace('.', '-');
      createMap(at(name));
      const foreign = createMap(at(`${name}-foreign`), { name: 'pf_foreign' });
      atStep(bench, step, () => execFileSync('mv', [at(`${name}-foreign`), at(name)]));
      const act = () => patch(name, { mode: '0644', labels: { mine: 'yes' } });
      if (step === 'attributes.intent_committed') assert.throws(act, failsWith('identity_mismatch'));
      else act();
      assert.equal(pinnedMap(at(name)).id, foreign.id);
      assert.equal(statSync(at(name)).mode & 0o7777, 0o600);
      assert.deepEqual(patch(name, { mode: '0600' }).pin?.labels, {});
    });
  }
});

test('a dry run says what would be set', () => {
  createMap(at('dry'));
  const { plan } = patch('dry', { mode: '0644' }, asking({ dryRun: true }));
  assert.deepEqual(
    plan?.map(({ action }) => action),
    ['set_attributes'],
  );
  assert.equal(statSync(at('dry')).mode & 0o777, 0o600);
});
