import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import test from 'node:test';
import { PinfoldError } from '../../src/model/error.ts';
import { parsePath } from '../../src/model/path.ts';
import type { PinSet } from '../../src/model/schema/pinset.ts';
import { bpftool, createMap, isAlive, pinnedMap, updateEntry } from '../support/bpftool.ts';
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

/** When the steps of the exchange of a copy were, in nanoseconds of CLOCK_MONOTONIC. */
interface Looks {
  began: bigint;
  exchanged: bigint;
  ended: bigint;
}

/** A call of the writer's. */
interface Call {
  readonly began: bigint;
  readonly ended: bigint;
  readonly errno: string;
}

/** One line of the writer's: an entry that it made, and maybe deleted. */
function parseEntry(line: string): { readonly number: number; readonly make: Call; readonly drop: Call } {
  const [, number, ...parts] = line.split(' ');
  const [from = '', to = '', errno = '', dropFrom = '', dropTo = '', dropErrno = ''] = parts;
  return {
    number: Number(number),
    make: { began: BigInt(from), ended: BigInt(to), errno },
    drop: { began: BigInt(dropFrom), ended: BigInt(dropTo), errno: dropErrno },
  };
}

/** Whether an entry may come back: made where the first look may have passed, deleted before the second. */
function mayComeBack({ make, drop }: ReturnType<typeof parseEntry>, looks: readonly Looks[]): boolean {
  return looks.some(({ began, exchanged, ended }) => {
    const isLate = make.ended >= began && make.began <= exchanged;
    return isLate && (drop.began <= ended || make.ended >= exchanged);
  });
}

test('an entry that lives for some milliseconds comes back only if it fell between two looks', async () => {
  const seed = testSeed();
  const types = ['lpm_trie', 'hash'];
  const looks: Looks[] = [];
  const between: string[] = [];
  const onStep = (step: string): void => {
    const time = process.hrtime.bigint();
    if (step === 'copy.comparing') looks.push({ began: time, exchanged: 0n, ended: 0n });
    const now = looks.at(-1);
    if (now === undefined || now.ended > 0n) return;
    between.push(step);
    if (step === 'copy.exchanged') now.exchanged = time;
    if (step === 'replace.exchanged') now.ended = time;
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
  const step = ['copy.comparing', 'copy.compared', 'copy.exchanged', 'replace.exchanged'];
  assert.deepEqual(between, [...step, ...step]);
  for (const [index, child] of [ofTrie, ofHash].entries()) {
    child.end();
    assert.deepEqual(await child.exit(60_000), { code: 0, signal: null });
    const entries = child.lines.filter((line) => line.startsWith('entry ')).map(parseEntry);
    const surely = entries.filter((entry) => !mayComeBack(entry, looks));
    assert.deepEqual(
      surely.filter(({ make, drop }) => make.errno !== '0' || drop.errno !== '0'),
      [],
    );
    const unsure = new Set(entries.filter((entry) => mayComeBack(entry, looks)).map(({ number }) => number));
    const alive = surely.filter(({ drop }) => drop.began === 0n).map(({ number }) => number);
    const found = entriesIn(node, types[index]).filter((number) => !unsure.has(number));
    assert.deepEqual(found, [...Array.from({ length: standing }, (_, number) => number), ...alive]);
  }
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
