import assert from 'node:assert/strict';
import { readdirSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import test from 'node:test';
import { PinfoldError } from '../../src/model/error.ts';
import { parsePath } from '../../src/model/path.ts';
import type { PinSet } from '../../src/model/schema/pinset.ts';
import {
  bpftool,
  createMap,
  isAlive,
  pinById,
  pinnedMap,
  removeEntry,
  updateEntry,
} from '../support/bpftool.ts';
import { compileC } from '../support/c-program.ts';
import { operatorContext } from '../support/operator.ts';
import { type PinSetNode, pinSetNode } from '../support/pinset-node.ts';
import { type Child, start } from '../support/process.ts';
import { testSeed } from '../support/seed.ts';
import { until, untilPasses } from '../support/until.ts';

const patience = { timeoutMs: 120_000, everyMs: 100 };
const path = 'tc/globals/acl';

/** A trie of so many entries, protected, whose contents follow it into another. */
function setOf(max_entries: number): PinSet {
  const map = { type: 'lpm_trie', key_size: 8, value_size: 4, max_entries, flags: ['no_prealloc'] };
  return { all: true, on_schema_change: 'copy', pins: [{ path, map, protect: true }] };
}

/** The first bytes of all keys. */
function keysIn(pin: string): readonly number[] {
  const rows = bpftool<{ key: string[] }[]>('map', 'dump', 'pinned', pin);
  return rows.map(({ key }) => Number(key[0])).sort((one, other) => one - other);
}

/** Makes entry N and deletes entry N - live, about a thousand times a second. */
async function writer(node: PinSetNode, way: 'reopen' | 'keep', live: number): Promise<Child> {
  const child = start(compileC('map-writer'), [node.path(path), way, String(live), '900']);
  await child.line(/^ready$/, 60_000);
  return child;
}

/** Ends a writer; the numbers of the entries that must be there now. */
async function endOf(child: Child): Promise<readonly number[]> {
  child.end();
  await child.exit(60_000);
  assert.deepEqual(
    child.lines.filter((line) => line.startsWith('failed')),
    [],
  );
  const [, first = 0, last = -1] = (child.lines.at(-1) ?? '').split(' ').map(Number);
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** The numbers of all entries, each of which must have its own number as value. */
function entriesIn(node: PinSetNode, at = path): readonly number[] {
  const rows = bpftool<{ key: string[]; value: string[] }[]>('map', 'dump', 'pinned', node.path(at));
  const bytes = (hex: readonly string[]) => Buffer.from(hex.map(Number));
  const numbers = rows.map(({ key, value }) => {
    const number = bytes(key).readUInt32BE(4);
    assert.equal(bytes(value).readUInt32LE(0), number);
    return number;
  });
  return numbers.sort((one, other) => one - other);
}

test('a map grows under a writer that reopens its pin; no entry is lost or comes back', async () => {
  await using node = await pinSetNode();
  await node.put('edge-acl', 1, setOf(8000));
  await node.untilState('edge-acl', 1, 'ok');
  const { id } = pinnedMap(node.path(path));
  using child = await writer(node, 'reopen', 4000);
  await node.put('edge-acl', 2, setOf(20_000));
  await node.untilState('edge-acl', 2, 'ok');
  const grown = pinnedMap(node.path(path));
  assert.equal(grown.max_entries, 20_000);
  const live = await endOf(child);
  assert.ok(live.length === 4000);
  assert.deepEqual(entriesIn(node), live);
  await untilPasses(() => assert.equal(isAlive('map', id), false), patience);
  assert.equal(readdirSync(node.path('pinfold-staging')).length, 1);
  assert.equal(pinnedMap(node.path(path)).id, grown.id);
});

/** One line of the writer's: what making an entry and deleting it came to, where it was deleted. */
function parseEntry(line: string) {
  const [, number, make = '', drop = ''] = line.split(' ');
  return { number: Number(number), make, drop: drop === '-' ? undefined : drop };
}

/** Keeps the thread, and so the two looks apart, while writers go on. */
function keepThread(forMs: number): void {
  for (const end = performance.now() + forMs; performance.now() < end; );
}

test('an entry that is made before the exchange and deleted after it does not come back', async () => {
  const seed = testSeed();
  const types = ['lpm_trie', 'hash'];
  const steps: string[] = [];
  const onStep = (step: string): void => {
    steps.push(step);
    // What is made now the first look has not seen; what is deleted then the second has not copied.
    if (step === 'copy.compared' || step === 'copy.exchanged') keepThread(25);
  };
  await using node = await pinSetNode({ agent: { onStep } });
  const wanted = (max_entries: number): PinSet => ({
    all: true,
    on_schema_change: 'copy',
    pins: types.map((type) => ({
      path: type,
      map: { type, key_size: 8, value_size: 4, max_entries, flags: ['no_prealloc'] },
    })),
  });
  await node.put('set', 1, wanted(4000));
  await node.untilState('set', 1, 'ok');
  const standing = 2000;
  const begin = (type: string): Child =>
    start(compileC('brief-writer'), [node.path(type), String(standing), String(seed)]);
  using ofTrie = begin('lpm_trie');
  using ofHash = begin('hash');
  for (const child of [ofTrie, ofHash]) await child.line(/^ready$/, 60_000);
  await node.put('set', 2, wanted(8000));
  await node.untilState('set', 2, 'ok');
  // The looks are right around the exchange: no step of the replace comes between.
  const order = ['copy.comparing', 'copy.compared', 'copy.exchanged', 'replace.exchanged'];
  const firstAt = steps.indexOf('copy.comparing');
  assert.deepEqual(steps.slice(firstAt, firstAt + order.length), order);
  for (const [index, child] of [ofTrie, ofHash].entries()) {
    child.end();
    assert.deepEqual(await child.exit(60_000), { code: 0, signal: null });
    const entries = child.lines.filter((line) => line.startsWith('entry ')).map(parseEntry);
    assert.ok(entries.every(({ make }) => make === '0'));
    const late = entries.filter(({ drop }) => drop === String(constants.errno.ENOENT));
    assert.ok(late.length > 5, 'entries were to fall between the two looks');
    assert.ok(entries.every(({ drop = '0' }) => drop === '0' || drop === String(constants.errno.ENOENT)));
    const alive = entries.filter(({ drop }) => drop === undefined).map(({ number }) => number);
    const found = entriesIn(node, types[index]);
    assert.deepEqual(found, [...Array.from({ length: standing }, (_, number) => number), ...alive]);
  }
});

test('of an entry that was written in both maps around the exchange, the last write counts', async () => {
  const other = 'other';
  const key = (number: number) => Buffer.from([number, 0, 0, 0]);
  const value = Buffer.alloc(4, 1);
  const onStep = (step: string): void => {
    if (step !== 'copy.exchanged') return;
    const [old, fresh] = [node.path(other), node.path('one')];
    // Made in the old map and removed through the new one, where it was not yet; and the other way round.
    updateEntry(old, key(1), value);
    assert.equal(removeEntry(fresh, key(1)), false);
    assert.equal(removeEntry(fresh, key(2)), false);
    updateEntry(old, key(2), value);
    // Removed from the old map and made anew through the new one, as it was.
    assert.equal(removeEntry(old, key(3)), true);
    updateEntry(fresh, key(3), value);
    assert.equal(removeEntry(old, key(4)), true);
  };
  await using node = await pinSetNode({ agent: { onStep } });
  await node.put('set', 1, hashOf('copy', 8));
  await node.untilState('set', 1, 'ok');
  const { id } = pinnedMap(node.path('one'));
  pinById('map', id, node.path(other));
  for (const number of [3, 4, 5]) updateEntry(node.path('one'), key(number), value);
  await node.put('set', 2, hashOf('copy', 16));
  await untilPasses(() => assert.deepEqual(keysIn(node.path('one')), [2, 3, 5]), patience);
  assert.deepEqual(keysIn(node.path(other)), [1, 2, 5]);
  rmSync(node.path(other));
  await node.untilState('set', 2, 'ok');
  assert.deepEqual(keysIn(node.path('one')), [2, 3, 5]);
  await untilPasses(() => assert.equal(isAlive('map', id), false), patience);
});

test('who keeps the old map open is named, and what they change arrives until they let go', async () => {
  await using node = await pinSetNode();
  await node.put('edge-acl', 1, setOf(2000));
  await node.untilState('edge-acl', 1, 'ok');
  const old = pinnedMap(node.path(path)).id;
  using child = await writer(node, 'keep', 500);
  await node.put('edge-acl', 2, setOf(3000));
  const said = await until(
    'the one who has the old map to be named',
    () => node.status('edge-acl'),
    (status) => status?.drifts.some(({ code }) => code === 'old_map_still_written_by') === true,
    patience,
  );
  const [drift] = said?.drifts ?? [];
  assert.match(drift?.actual ?? '', new RegExp(`^pid ${child.pid} \\(map-writer`));
  assert.notEqual(pinnedMap(node.path(path)).id, old);
  const live = await endOf(child);
  await node.untilState('edge-acl', 2, 'ok');
  assert.deepEqual(entriesIn(node), live);
  await untilPasses(() => assert.equal(isAlive('map', old), false), patience);
});

test('what does not fit is not copied: the old map keeps its name, and nothing is left aside', async () => {
  await using node = await pinSetNode();
  await node.put('edge-acl', 1, setOf(600));
  await node.untilState('edge-acl', 1, 'ok');
  const { id } = pinnedMap(node.path(path));
  using child = await writer(node, 'reopen', 500);
  await node.put('edge-acl', 2, setOf(100));
  const { drifts } = await node.untilState('edge-acl', 2, 'failed');
  assert.ok(drifts.some(({ code }) => code === 'map_full'));
  assert.equal(pinnedMap(node.path(path)).id, id);
  assert.equal(readdirSync(node.path('pinfold-staging')).length, 1);
  const live = await endOf(child);
  assert.deepEqual(entriesIn(node), live);
});

test('every type whose entries are plain bytes is copied, values of each processor too', async () => {
  await using node = await pinSetNode();
  const types = ['hash', 'lru_hash', 'percpu_hash', 'lru_percpu_hash', 'array', 'percpu_array', 'lpm_trie'];
  const keySizeOf = (type: string): number => (type === 'lpm_trie' ? 8 : 4);
  const wanted = (max_entries: number): PinSet => ({
    all: true,
    on_schema_change: 'copy',
    pins: types.map((type) => ({
      path: type,
      map: {
        ...{ type, key_size: keySizeOf(type), value_size: 12, max_entries },
        flags: type === 'lpm_trie' ? ['no_prealloc'] : [],
      },
    })),
  });
  await node.put('set', 1, wanted(16));
  await node.untilState('set', 1, 'ok');
  for (const [index, type] of types.entries()) {
    const key = Buffer.alloc(keySizeOf(type));
    key[0] = 7;
    updateEntry(node.path(type), key, Buffer.alloc(12, 40 + index));
  }
  const dumpOf = (type: string) =>
    bpftool<{ key: string[] }[]>('map', 'dump', 'pinned', node.path(type)).slice(0, 16);
  const before = types.map(dumpOf);
  await node.put('set', 2, wanted(64));
  await node.untilState('set', 2, 'ok');
  for (const [index, type] of types.entries()) {
    assert.ok(pinnedMap(node.path(type)).max_entries >= 64, type);
    assert.deepEqual(dumpOf(type), before[index], type);
  }
});

/** A set of one hash, and what becomes of it when it is to be another. */
function hashOf(policy: PinSet['on_schema_change'], max_entries: number, value_size = 4): PinSet {
  const map = { type: 'hash', key_size: 4, value_size, max_entries };
  return { all: true, on_schema_change: policy ?? 'refuse', pins: [{ path: 'one', map }] };
}

test('a copy that was refused at the swap is undone: what is wanted later is planned anew', async () => {
  const onStep = (step: string): void => {
    if (step === 'copy.compared') throw new PinfoldError('conflict', { detail: 'somebody was there' });
  };
  await using node = await pinSetNode({ agent: { onStep } });
  await node.put('set', 1, hashOf('copy', 8));
  await node.untilState('set', 1, 'ok');
  const { id } = pinnedMap(node.path('one'));
  await node.put('set', 2, hashOf('copy', 16));
  await node.untilState('set', 2, 'failed');
  await node.put('set', 3, hashOf('refuse', 8, 64));
  const refused = await node.untilState('set', 3, 'drifted');
  assert.deepEqual(refused.drifts, [{ path: 'one', code: 'value_size', expected: '64', actual: '4' }]);
  assert.deepEqual(readdirSync(node.path('pinfold-staging')), []);
  await node.put('set', 4, hashOf('copy', 16));
  await node.untilState('set', 4, 'failed');
  await node.put('set', 5, hashOf('copy', 8));
  await node.untilState('set', 5, 'ok');
  assert.equal(pinnedMap(node.path('one')).id, id);
  assert.deepEqual(readdirSync(node.path('pinfold-staging')), []);
});

test('only the map that was looked at is copied, and only into one with entries of its sizes', async () => {
  await using node = await pinSetNode();
  const { id } = createMap(node.path('one'), { type: 'hash', key: 4, value: 4, entries: 8 });
  const { copies, look } = node.at.agent.pinsets;
  const one = parsePath('one');
  const seen = (await look([one])).get(one);
  assert.ok(seen?.is === 'pin');
  const { identity } = seen.pin;
  const advance = async (from: typeof identity, value_size: number) =>
    await copies.advance({
      ...{ pinset: 'set', path: one, attributes: {}, isProtected: false, from, context: operatorContext },
      spec: { type: 'hash', key_size: 4, value_size, max_entries: 16 },
    });
  await assert.rejects(advance(identity, 64), { code: 'conflict' });
  await assert.rejects(advance({ ...identity, fingerprint: 'other' }, 4), { code: 'identity_mismatch' });
  assert.deepEqual(copies.list(), []);
  assert.deepEqual(readdirSync(node.path('pinfold-staging')), []);
  assert.equal(pinnedMap(node.path('one')).id, id);
});
