import assert from 'node:assert/strict';
import test from 'node:test';
import { objectDifferences } from '../../src/model/cluster/pinset/differences.ts';
import type { ObservedPin } from '../../src/model/cluster/pinset/observed.ts';
import { planPinSet } from '../../src/model/cluster/pinset/plan.ts';
import type { MadeIdentity } from '../../src/model/cluster/pinset/records.ts';
import { parsePath } from '../../src/model/path.ts';
import type { DesiredPin } from '../../src/model/schema/pinset.ts';

const path = parsePath('acl');
const sizes = { type: 'hash', key_size: 4, value_size: 4 };
const identity: MadeIdentity = {
  ...{ instance: 'i', inode: 1, pinnedAt: '0', kind: 'map', id: 1, fingerprint: 'f' },
};

function pinOf(more: Partial<NonNullable<ObservedPin['map']>> = {}): ObservedPin {
  const map = { kind: 'map' as const, id: 1, name: '', ...sizes, max_entries: 8, map_flags: 0, flags: [] };
  return {
    ...{ identity, kind: 'map', type: 'hash', name: '', tag: undefined, map: { ...map, ...more } },
    ...{ mode: '0600', uid: 0, gid: 0, labels: {}, owner: null, etag: '1' },
  };
}

function codes(map: Partial<NonNullable<DesiredPin['map']>>, pin: ObservedPin): readonly string[] {
  const wanted = { path: 'acl', map: { ...sizes, max_entries: 8, ...map } };
  return objectDifferences(wanted, pin).map(({ code }) => code);
}

test('map_extra is compared as a number, and none is the kernel’s 0', () => {
  for (const none of [0, '0', '000']) assert.deepEqual(codes({ map_extra: none }, pinOf()), []);
  for (const five of [5, '5', '05'])
    assert.deepEqual(codes({ map_extra: five }, pinOf({ map_extra: '5' })), []);
  assert.deepEqual(codes({ map_extra: 3 }, pinOf()), ['map_extra']);
  assert.deepEqual(codes({ map_extra: '0' }, pinOf({ map_extra: '5' })), ['map_extra']);
  const flags = ['no_prealloc', 'zero_seed'];
  assert.deepEqual(codes({ flags: [...flags].reverse() }, pinOf({ flags })), [], 'in any order');
});

/** What is done about a map of 8 entries where 16 are wanted, made for some generation or by others. */
function actionsFor(policy: 'replace' | 'copy', made: MadeIdentity | undefined): readonly string[] {
  const { steps, drifts } = planPinSet({
    spec: {
      ...{ all: true, on_schema_change: policy },
      pins: [{ path: 'acl', map: { ...sizes, max_entries: 16 } }],
    },
    ...{ isWanted: true, generation: 3, aside: new Map(), copies: new Set(), takenBy: new Map() },
    made: made === undefined ? [] : [{ name: 'set', path, identity: made }],
    observed: new Map([[path, { is: 'pin' as const, pin: pinOf() }]]),
    othersWant: new Set(),
  });
  return [...steps.map(({ action }) => action), ...drifts.map(({ code }) => code)];
}

test('a map this generation made is not made once more over a difference that stayed: it is drift', () => {
  assert.deepEqual(actionsFor('replace', { ...identity, generation: 3 }), ['max_entries']);
  assert.deepEqual(actionsFor('copy', { ...identity, generation: 3 }), ['max_entries']);
});

test('a map of others, of a former generation, or of another pin is replaced', () => {
  const others = [
    undefined,
    identity,
    { ...identity, generation: 2 },
    { ...identity, generation: 3, inode: 9 },
  ];
  for (const made of others) assert.deepEqual(actionsFor('replace', made), ['replace_map']);
});
