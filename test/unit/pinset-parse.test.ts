import assert from 'node:assert/strict';
import test from 'node:test';
import { parseClusterName } from '../../src/model/cluster/key.ts';
import { parsePinSet } from '../../src/model/cluster/pinset/parse.ts';
import { statusOf } from '../../src/model/cluster/pinset/status.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import { limits } from '../../src/model/limits.ts';

const name = parseClusterName('edge-acl', 'pin set');
const map = { type: 'hash', key_size: 4, value_size: 4, max_entries: 8 };

/** Where a set is wrong: pointers, in the order in which they are told. */
function wrong(json: unknown): readonly string[] {
  try {
    parsePinSet(json, name);
    return [];
  } catch (error) {
    if (!isPinfoldError(error, 'invalid_input')) throw error;
    return error.details.errors?.map(({ pointer }) => pointer) ?? [];
  }
}

test('a set is read with its name, and one that selects nothing is one', () => {
  assert.deepEqual(parsePinSet({}, name), { name });
  assert.deepEqual(parsePinSet({ name, selector: {} }, name), { name, selector: {} });
  assert.deepEqual(
    wrong({
      all: true,
      pins: [
        { path: 'a', map },
        { path: 'ab', expect: {} },
      ],
      absent: ['b'],
    }),
    [],
  );
});

test('all that is wrong is told at once, each with its place', () => {
  const pins = [
    { path: 'a.b', map },
    { path: 'x', map, expect: {} },
    { path: 'y' },
    { path: 'z', expect: { kind: 'btf' }, entries: [] },
    { path: 'm', map: { type: 'lpm_trie', key_size: 3, value_size: 4, max_entries: 8 } },
    { path: 'n', map: { ...map, flags: ['none_such'], btf: { map: 5 } } },
    { path: 'x', map },
    { path: 'x/below', map },
  ];
  assert.deepEqual(wrong({ name: 'other', all: true, selector: { a: 'b' }, pins, absent: ['y', '/q'] }), [
    ...['/body/name', '/body/all', '/body/pins/1', '/body/pins/2', '/body/pins/3/entries'],
    ...['/body/pins/3/expect/kind', '/body/pins/4/map/key_size', '/body/pins/4/map/flags'],
    ...['/body/pins/5/map/flags/0', '/body/pins/5/map/btf/map', '/body/pins/0/path', '/body/pins/6/path'],
    ...['/body/absent/0', '/body/absent/1', '/body/pins/7/path'],
  ]);
});

test('what has another shape is told with the place of it', () => {
  assert.deepEqual(wrong([]), ['/body']);
  assert.deepEqual(wrong({ pins: [{ path: 5 }] }), ['/body/pins/0/path']);
  assert.ok(wrong({ rollout: { max_unavailable: 0 } }).includes('/body/rollout/max_unavailable'));
  assert.ok(wrong({ on_schema_change: 'maybe' }).includes('/body/on_schema_change'));
});

test('a set may have so many bytes, and not one more', () => {
  const setOf = (lengths: readonly number[]) => ({
    pins: lengths.map((length, index) => ({
      path: `p${1000 + index}`,
      expect: {},
      labels: { k: 'v'.repeat(length) },
    })),
  });
  const bytesOf = (lengths: readonly number[]) =>
    Buffer.byteLength(JSON.stringify({ ...setOf(lengths), name }));
  const each = bytesOf([900, 900]) - bytesOf([900]);
  const many = Array.from({ length: Math.floor(limits.pinSetBytesMax / each) - 2 }, () => 900);
  const left = limits.pinSetBytesMax - bytesOf([...many, 0, 0, 0]);
  const rest = [0, 1000, 2000].map((from) => Math.min(Math.max(left - from, 0), 1000));
  const filled = [...many, ...rest];
  assert.equal(bytesOf(filled), limits.pinSetBytesMax);
  assert.deepEqual(wrong(setOf(filled)), []);
  assert.deepEqual(wrong(setOf(filled.map((length, index) => (index === 0 ? length + 1 : length)))), [
    '/body',
  ]);
});

test('a status has its bound: what there is no room for is counted', () => {
  const drift = {
    path: 'tc/globals/acl',
    code: 'max_entries',
    expected: 'e'.repeat(200),
    actual: 'a'.repeat(200),
  };
  const facts = {
    generation: 3,
    seen: 4,
    state: 'drifted',
    isAhead: false,
    time: '2026-11-23T10:00:00.000Z',
  } as const;
  const few = statusOf({ ...facts, drifts: [drift] });
  assert.deepEqual([few.drifts, few.more_drifts], [[drift], undefined]);
  const many = statusOf({ ...facts, drifts: Array.from({ length: 1000 }, () => drift) });
  assert.ok(Buffer.byteLength(JSON.stringify(many)) <= limits.pinSetStatusBytesMax);
  assert.equal(many.drifts.length + (many.more_drifts ?? 0), 1000);
  assert.ok(many.drifts.length > 0);
});
