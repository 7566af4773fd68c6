import assert from 'node:assert/strict';
import test from 'node:test';
import { Value } from 'typebox/value';
import { type MapFacts, mapSpecification } from '../../src/agent/specification/of-map.ts';
import { programSpecification } from '../../src/agent/specification/of-program.ts';
import { parseStoredMap, parseStoredProgram, toStored } from '../../src/agent/specification/stored.ts';
import { limits } from '../../src/model/limits.ts';
import type { MapInfo } from '../../src/model/schema/map-info.ts';
import { MapSpecification } from '../../src/model/schema/map-specification.ts';
import { ProgramSpecification } from '../../src/model/schema/specification.ts';

const origin = { kind: 'map', id: 5, fingerprint: 'f', state: 'present' } as const;

function infoOf(fields: Partial<MapInfo> = {}): MapInfo {
  return {
    kind: 'map',
    id: 5,
    type: 'hash',
    name: 'pf_map',
    key_size: 4,
    value_size: 8,
    max_entries: 16,
    map_flags: 0,
    flags: [],
    ...fields,
  };
}

function specificationOf(facts: Partial<MapFacts> = {}): MapSpecification {
  const details = { value: { isFrozen: false, numaNode: undefined, inner: undefined } };
  return mapSpecification({ info: infoOf(), details, btf: undefined, ...facts }, origin);
}

function missingOf({ about }: MapSpecification | ProgramSpecification): readonly string[] {
  return (about?.not_recoverable ?? []).map(({ member }) => member);
}

test('flags that the kernel sets itself, or that only say how it was called, are not given again', () => {
  assert.equal(
    specificationOf({ info: infoOf({ type: 'devmap', flags: ['rdonly_prog'] }) }).flags,
    undefined,
  );
  const kept = specificationOf({ info: infoOf({ type: 'array', flags: ['rdonly_prog', 'mmapable'] }) });
  assert.deepEqual(kept.flags, ['rdonly_prog', 'mmapable']);
  const token = specificationOf({ info: infoOf({ flags: ['no_prealloc', 'token_fd'] }) });
  assert.deepEqual(token.flags, ['no_prealloc']);
  assert.deepEqual(missingOf(token), ['flags.token_fd']);
});

test('what this kernel does not tell is named with the reason, and everything else is there', () => {
  const details = { missing: 'it needs Linux 5.8' };
  const blind = specificationOf({ info: infoOf({ type: 'array_of_maps', frozen: true }), details });
  assert.deepEqual(missingOf(blind), ['numa_node', 'inner']);
  assert.equal(blind.freeze, true, 'fdinfo tells that, too');
  const offloaded = specificationOf({ info: infoOf({ ifindex: 3 }), btf: { missing: 'no memory' } });
  assert.deepEqual(missingOf(offloaded), ['btf', 'ifindex']);
  assert.equal(offloaded.ifindex, 3);
});

test('what is stored comes back as it was, its bytes beside it', () => {
  const blob = Buffer.from('types of the map');
  const whole = specificationOf({
    info: infoOf({ btf_id: 7, btf_key_type_id: 1, btf_value_type_id: 2 }),
    btf: { value: blob },
  });
  assert.equal(Value.Check(MapSpecification, whole), true);
  const stored = toStored(whole, undefined);
  assert.deepEqual(stored.parts, { btf: blob });
  assert.ok(!JSON.stringify(stored.document).includes(blob.toString('base64')));
  const json = JSON.parse(JSON.stringify(stored.document));
  assert.deepEqual(parseStoredMap({ document: json, parts: stored.parts }), whole);
});

test('a part of as many bytes as may be is stored, one of more is left out and named', () => {
  const spec = specificationOf({ info: infoOf({ btf_id: 7 }), btf: { value: Buffer.alloc(0) } });
  const fits = toStored(spec, Buffer.alloc(limits.specificationPartBytesMax));
  assert.deepEqual(Object.keys(fits.parts), ['btf']);
  const large = toStored(spec, Buffer.alloc(limits.specificationPartBytesMax + 1));
  assert.deepEqual(large.parts, {});
  const back = parseStoredMap(large);
  assert.equal(back.btf, undefined);
  assert.deepEqual(missingOf(back), ['btf']);
});

test('a program of which only the description is left says what else it would take', () => {
  const missing = { missing: 'it was gone' };
  const spec = programSpecification(
    {
      info: { kind: 'program', id: 9, type: 'xdp', name: 'p', tag: '0123456789abcdef', jited: true },
      image: missing,
      loaded: undefined,
      btf: missing,
      expectedAttachType: missing,
      attachName: {},
      maps: [{ id: 5 }],
      links: [],
    },
    { ...origin, kind: 'program', id: 9, state: 'gone' },
  );
  const members = ['instructions', 'btf', 'expected_attach_type', 'license', 'prog_flags'];
  assert.deepEqual(missingOf(spec), members);
  assert.equal(Value.Check(ProgramSpecification, spec), true);
  assert.deepEqual(parseStoredProgram(toStored(spec, undefined)), spec);
});
