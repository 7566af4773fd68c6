import assert from 'node:assert/strict';
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import test from 'node:test';
import { parseOwner } from '../../src/model/claim/owner.ts';
import { parsePath } from '../../src/model/path.ts';
import type { DesiredPin, PinSet } from '../../src/model/schema/pinset.ts';
import { createMap, isAlive, pinnedMap } from '../support/bpftool.ts';
import { hold } from '../support/hold.ts';
import { operatorContext } from '../support/operator.ts';
import { type PinSetNode, pinSetNode } from '../support/pinset-node.ts';
import { untilPasses } from '../support/until.ts';

const patience = { timeoutMs: 60_000, everyMs: 50 };
const map = { type: 'hash', key_size: 4, value_size: 4, max_entries: 8 };
const edge: PinSet = { selector: { role: 'edge' } };
const pin = (path: string, more: Partial<DesiredPin> = {}): DesiredPin => ({ path, map, ...more });

/** A process that has the map of a path open, so that its pin is not all that keeps it. */
async function holderOf(node: PinSetNode, path: string) {
  return await hold(`get:${node.path(path)}`);
}

/** What is in its bpffs, beside what the kernel itself puts there. */
function namesIn(node: PinSetNode): readonly string[] {
  return readdirSync(node.bpffs.path)
    .filter((name) => !name.endsWith('.debug'))
    .sort();
}

test('prune takes what this set made and nothing else, and stops where it would lose a map', async () => {
  await using node = await pinSetNode();
  createMap(node.path('foreign'), { type: 'hash', key: 4, value: 4, entries: 8 });
  await node.put('set', 1, { ...edge, prune: true, pins: [pin('held'), pin('lone'), pin('foreign')] });
  await node.untilState('set', 1, 'ok');
  assert.deepEqual(node.own.get('set').made, ['held', 'lone']);
  using _holder = await holderOf(node, 'held');
  await node.put('set', 2, { ...edge, prune: true, pins: [] });
  const { drifts } = await node.untilState('set', 2, 'drifted');
  assert.deepEqual(
    drifts.map(({ path, code, actual }) => [path, code, actual]),
    [['lone', 'hazard', 'last_reference']],
  );
  assert.equal(existsSync(node.path('held')), false);
  assert.ok(existsSync(node.path('lone')) && existsSync(node.path('foreign')));
});

test('what must be absent is unpinned, unless somebody claims it or nothing else holds it', async () => {
  await using node = await pinSetNode();
  for (const name of ['free', 'lone', 'claimed']) createMap(node.path(name));
  using _free = await holderOf(node, 'free');
  using _claimed = await holderOf(node, 'claimed');
  const { claims } = node.at.agent;
  const asked = { mount: undefined, paths: [parsePath('claimed')], adopts: false };
  await claims.put(parseOwner('app'), asked, operatorContext);
  await node.put('set', 1, { ...edge, absent: ['free', 'lone', 'claimed', 'never'] });
  const { drifts } = await node.untilState('set', 1, 'drifted');
  assert.deepEqual(
    drifts.map(({ path, actual }) => [path, actual]),
    [
      ['lone', 'last_reference'],
      ['claimed', 'claimed'],
    ],
  );
  assert.equal(existsSync(node.path('free')), false);
});

test('a deleted set lets go of what it protected and stays away, whatever is delivered late', async () => {
  await using node = await pinSetNode();
  await node.put('set', 1, { ...edge, pins: [pin('kept', { protect: true })] });
  await node.untilState('set', 1, 'ok');
  const { id } = pinnedMap(node.path('kept'));
  await node.put('set', 2, {}, { deleted: true });
  await untilPasses(() => assert.deepEqual(readdirSync(node.path('pinfold-staging')), []), patience);
  await untilPasses(async () => assert.equal(await node.status('set'), undefined), patience);
  assert.equal(pinnedMap(node.path('kept')).id, id);
  rmSync(node.path('kept'));
  await untilPasses(() => assert.equal(isAlive('map', id), false), patience);
  await node.put('set', 1, { ...edge, pins: [pin('kept')] });
  await untilPasses(async () => assert.equal((await node.status('set'))?.ahead_of_store, true), patience);
  assert.equal(existsSync(node.path('kept')), false);
  assert.throws(() => node.own.get('set'), { code: 'pinset_not_found' });
});

test('a set that only observes unpins nothing when it goes, with prune either, and is gone', async () => {
  await using node = await pinSetNode();
  await node.put('set', 1, { ...edge, prune: true, pins: [pin('made')] });
  await node.untilState('set', 1, 'ok');
  using _holder = await holderOf(node, 'made');
  const looking: PinSet = { ...edge, prune: true, mode: 'observe', pins: [] };
  await node.put('set', 2, looking);
  await node.untilState('set', 2, 'ok');
  assert.deepEqual(node.own.get('set').made, ['made']);
  await node.put('set', 3, looking, { deleted: true });
  await untilPasses(async () => assert.equal(await node.status('set'), undefined), patience);
  assert.ok(existsSync(node.path('made')));
  assert.throws(() => node.own.get('set'), { code: 'pinset_not_found' });
});

test('a wish under the number of a deletion is not applied, and the node says that it is ahead', async () => {
  await using node = await pinSetNode();
  await node.put('set', 1, { ...edge, pins: [pin('kept')] });
  await node.untilState('set', 1, 'ok');
  await node.put('set', 2, {}, { deleted: true });
  await untilPasses(async () => assert.equal(await node.status('set'), undefined), patience);
  await node.put('set', 2, { ...edge, pins: [pin('other')] });
  await untilPasses(async () => assert.equal((await node.status('set'))?.ahead_of_store, true), patience);
  assert.equal(existsSync(node.path('other')), false);
  await node.put('set', 3, { ...edge, pins: [pin('other')] });
  assert.equal((await node.untilState('set', 3, 'ok')).ahead_of_store, undefined);
  assert.ok(existsSync(node.path('other')));
});

test('a set that is not meant for this node does nothing, and lets go when it no longer is', async () => {
  await using node = await pinSetNode();
  await node.put('set', 1, { selector: { role: 'core' }, pins: [pin('one')] });
  await node.put('none', 1, { pins: [pin('two')] });
  await node.put('all', 1, { all: true, pins: [pin('three', { protect: true })] });
  await node.untilState('all', 1, 'ok');
  assert.deepEqual(namesIn(node), ['pinfold-staging', 'three']);
  await node.put('all', 2, { selector: { role: 'core' }, pins: [pin('three', { protect: true })] });
  await untilPasses(() => assert.deepEqual(readdirSync(node.path('pinfold-staging')), []), patience);
  assert.ok(existsSync(node.path('three')));
});

test('of two sets that want one path the later name says so, and sets never fight', async () => {
  await using node = await pinSetNode();
  await node.put('b', 1, { ...edge, pins: [pin('one', { mode: '0600' })] });
  await node.untilState('b', 1, 'ok');
  await node.put('a', 1, { ...edge, pins: [pin('one', { mode: '0640' })] });
  await node.untilState('a', 1, 'ok');
  const { drifts } = await node.untilState('b', 1, 'drifted');
  assert.deepEqual(drifts, [{ path: 'one', code: 'other_pinset', actual: 'a' }]);
});

test('observing, and objects that are only expected, change nothing and say what differs', async () => {
  await using node = await pinSetNode();
  const { id } = createMap(node.path('there'));
  const spec: PinSet = {
    ...edge,
    mode: 'observe',
    pins: [pin('missing'), { path: 'there', expect: { kind: 'program' } }],
    absent: ['gone'],
  };
  createMap(node.path('gone'));
  await node.put('set', 1, spec);
  const { drifts } = await node.untilState('set', 1, 'drifted');
  assert.deepEqual(
    drifts.map(({ path, code }) => `${path} ${code}`),
    ['missing missing', 'there wrong_kind', 'gone unexpected'],
  );
  await node.put('expects', 1, { ...edge, pins: [{ path: 'prog', expect: { kind: 'program', name: 'f' } }] });
  const expected = await node.untilState('expects', 1, 'drifted');
  assert.deepEqual(expected.drifts, [{ path: 'prog', code: 'missing', expected: 'kind program, name f' }]);
  assert.deepEqual(namesIn(node), ['gone', 'there']);
  assert.equal(pinnedMap(node.path('there')).id, id);
});

test('a diff tells what a node would do and would not, and does nothing', async () => {
  await using node = await pinSetNode();
  createMap(node.path('small'), { type: 'hash', key: 4, value: 4, entries: 4 });
  createMap(node.path('old'));
  const before = readdirSync(node.bpffs.path);
  const spec = { ...edge, pins: [pin('new'), pin('small')], absent: ['old'] };
  const { selected, steps, drifts } = await node.own.diff(spec);
  assert.equal(selected, true);
  assert.deepEqual(
    steps.map(({ path, action }) => [path, action]),
    [
      ['new', 'make_map'],
      ['old', 'unpin'],
    ],
  );
  assert.deepEqual(drifts, [{ path: 'small', code: 'max_entries', expected: '8', actual: '4' }]);
  const copied = await node.own.diff({ ...spec, on_schema_change: 'copy' });
  assert.deepEqual(
    copied.steps.map(({ action }) => action),
    ['make_map', 'copy_map', 'unpin'],
  );
  const elsewhere = await node.own.diff({ ...spec, selector: { role: 'core' } });
  assert.deepEqual([elsewhere.selected, elsewhere.steps, elsewhere.drifts], [false, [], []]);
  await assert.rejects(() => node.own.diff({ pins: [pin('a.b')] }), { code: 'invalid_input' });
  assert.deepEqual(readdirSync(node.bpffs.path), before);
});

test('a pin put over the name in a copy is not pruned, and what is gone is not pinned again', async () => {
  let passes = 0;
  const onStep = (step: string): void => {
    if (step === 'copy.passed') passes++;
  };
  await using node = await pinSetNode({ agent: { onStep } });
  const grown = (max_entries: number): PinSet => ({
    ...{ ...edge, on_schema_change: 'copy', prune: true },
    pins: [pin('one', { map: { ...map, max_entries } })],
  });
  const laterPasses = async (): Promise<void> => {
    const before = passes;
    await untilPasses(() => assert.ok(passes > before + 2, 'passes go on'), patience);
  };
  await node.put('set', 1, grown(8));
  await node.untilState('set', 1, 'ok');
  using holder = await holderOf(node, 'one');
  await node.put('set', 2, grown(16));
  await untilPasses(() => assert.equal(pinnedMap(node.path('one')).max_entries, 16), patience);
  await laterPasses();
  const made = pinnedMap(node.path('one')).id;
  const foreign = createMap(node.path('foreign'), { type: 'hash', key: 4, value: 4, entries: 16 }).id;
  renameSync(node.path('foreign'), node.path('one'));
  await laterPasses();
  await node.put('set', 3, grown(16), { deleted: true });
  await untilPasses(() => assert.deepEqual(node.own.get('set').made, []), patience);
  await laterPasses();
  assert.equal(pinnedMap(node.path('one')).id, foreign);
  rmSync(node.path('one'));
  await laterPasses();
  holder[Symbol.dispose]();
  const { drifts } = await node.untilState('set', 3, 'drifted');
  assert.deepEqual(
    drifts.map(({ code, actual }) => [code, actual]),
    [['hazard', 'last_reference']],
  );
  assert.equal(existsSync(node.path('one')), false);
  assert.ok(isAlive('map', made));
});
