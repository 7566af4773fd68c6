import assert from 'node:assert/strict';
import test from 'node:test';
import { JsonText } from '../../src/kernel/btf/codec/json-text.ts';
import { parseBtf } from '../../src/kernel/btf/parse.ts';
import { editingOf } from '../../src/kernel/edit/edit-types.ts';
import { entryParser } from '../../src/kernel/edit/entry-input.ts';
import { entryForm } from '../../src/kernel/entries/write/entry-form.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import type { Json } from '../../src/model/json.ts';
import type { EntryChoice } from '../../src/model/schema/entry.ts';
import type { MapInfo } from '../../src/model/schema/map-info.ts';
import { BtfBuilder } from '../support/btf-builder.ts';
import { random, testSeed } from '../support/seed.ts';

const seed = testSeed();
const cpus = 3;

function infoOf(type: string, more: Partial<MapInfo> = {}): MapInfo {
  const sizes = { key_size: 4, value_size: 8, max_entries: 16 };
  return { kind: 'map', id: 1, type, name: 'pf_form', ...sizes, map_flags: 0, flags: [], ...more };
}

/** Every bit of `struct all { int number; char text[8]; unsigned low:3, high:29; }` means something. */
function structBtf(): Buffer {
  const btf = new BtfBuilder();
  const int = btf.int('int', 4, 'signed');
  const unsigned = btf.int('unsigned int', 4);
  const text = btf.array(btf.int('char', 1, 'char'), 8);
  btf.struct('all', 16, [
    { name: 'number', type: int, at: 0, bits: 0 },
    { name: 'text', type: text, at: 32, bits: 0 },
    { name: 'low', type: unsigned, at: 96, bits: 3 },
    { name: 'high', type: unsigned, at: 99, bits: 29 },
  ]);
  return btf.build();
}

const trie = { key_size: 20 };
const typed = { btf_id: 9, btf_key_type_id: 1, btf_value_type_id: 5, value_size: 16 };
const cases: readonly (readonly [string, MapInfo, EntryChoice])[] = [
  ['raw', infoOf('hash', { key_size: 7, value_size: 33 }), { format: 'raw' }],
  ['as bpftool prints', infoOf('lru_hash', { key_size: 3, value_size: 5 }), { format: 'bpftool' }],
  ['of each CPU', infoOf('percpu_hash', { value_size: 5 }), { format: 'raw' }],
  ['of each CPU as bpftool prints', infoOf('percpu_array', { value_size: 12 }), { format: 'bpftool' }],
  ['by BTF', infoOf('hash', typed), {}],
  ['by BTF, of each CPU', infoOf('percpu_hash', typed), {}],
  ['prefixes', infoOf('lpm_trie', { ...trie, value_size: 6 }), { format: 'typed', valueAs: 'mac' }],
  ['odd prefixes', infoOf('lpm_trie', { key_size: 7 }), { format: 'typed', valueAs: 'base64' }],
  ['u32 and s64', infoOf('hash'), { keyAs: 'u32', valueAs: 's64' }],
  ['be32 and be64', infoOf('hash'), { keyAs: 'be32', valueAs: 'be64' }],
  ['ipv4 and ipv6', infoOf('hash', { value_size: 16 }), { keyAs: 'ipv4', valueAs: 'ipv6' }],
  ['text', infoOf('hash', { key_size: 9, value_size: 17 }), { keyAs: 'utf8', valueAs: 'utf8' }],
  ['s16 and u8', infoOf('hash', { key_size: 2, value_size: 1 }), { keyAs: 's16', valueAs: 'u8' }],
  ['slots', infoOf('percpu_array'), { format: 'typed', valueAs: 'u64' }],
];

for (const [index, [name, info, choice]] of cases.entries()) {
  test(`what is written of any bytes is understood as the same bytes: ${name}`, () => {
    const dice = random(seed + index);
    const findBtf = () => parseBtf(structBtf());
    const editing = editingOf(info, cpus);
    const parser = entryParser(editing, choice, findBtf);
    const form = entryForm(editing.shape, choice, findBtf);
    const { keySize, wireSize, cpuStride } = editing.shape;
    for (let round = 0; round < 500; round++) {
      const key = Buffer.from(dice.bytes(keySize));
      if (info.type === 'lpm_trie') key.writeUInt32LE(dice.int(8 * (keySize - 4) + 1));
      const value = Buffer.from(dice.bytes(wireSize));
      // What the rounding to eight bytes leaves between CPUs is nobody's.
      for (let at = 0; cpuStride !== undefined && at < wireSize; at += cpuStride) {
        value.fill(0, at + info.value_size, at + cpuStride);
      }
      const text = new JsonText(64);
      form.writeEntry({ keys: key, keyAt: 0, values: value, valueAt: 0 }, text);
      const entry = JSON.parse(text.bytes.toString('utf8', 0, text.length));
      assert.deepEqual(parser.key(entry.key, '/key'), key, JSON.stringify(entry));
      assert.deepEqual(parser.value(entry, ''), { value }, JSON.stringify(entry));
    }
  });
}

test('a value that names something tells what, and where the kernel wants its descriptor', () => {
  const at = (type: string, more: Partial<MapInfo>, value: Json, choice: EntryChoice = { format: 'typed' }) =>
    entryParser(editingOf(infoOf(type, more), cpus), choice, () => undefined).value({ value }, '');
  const four = { value_size: 4 };
  assert.deepEqual(at('prog_array', four, { kind: 'program', id: 258 }), {
    value: Buffer.from('02010000', 'hex'),
    reference: { kind: 'program', at: 0, id: 258 },
  });
  assert.deepEqual(at('array_of_maps', four, '02010000', { format: 'raw' }), {
    value: Buffer.from('02010000', 'hex'),
    reference: { kind: 'map', at: 0, id: 258 },
  });
  assert.deepEqual(at('devmap', {}, { ifindex: 7, program: { kind: 'program', id: 3 } }), {
    value: Buffer.from('0700000003000000', 'hex'),
    reference: { kind: 'program', at: 4, id: 3 },
  });
  assert.deepEqual(at('cpumap', {}, { qsize: 7 }), { value: Buffer.from('0700000000000000', 'hex') });
  assert.deepEqual(at('sockmap', {}, { pid: 5, fd: 6, start_time: 7 }), {
    value: Buffer.alloc(8),
    reference: { kind: 'socket', at: 0, pid: 5, fd: 6, startTime: 7 },
  });
  for (const [type, value] of [
    ['devmap', { ifindex: 7, program: { kind: 'map', id: 3 } }],
    ['devmap', { ifindex: -1 }],
    ['cpumap', { qsize: 1.5 }],
    ['sockmap', { socket_cookie: '5' }],
    ['sockmap', '0000000000000000'],
  ] as const) {
    assert.throws(
      () => at(type, {}, value),
      (error) => isPinfoldError(error, 'invalid_input') && error.details.errors?.[0]?.pointer === '/value',
    );
  }
  assert.throws(
    () => at('devmap', four, { ifindex: 7, program: { kind: 'program', id: 3 } }),
    (error) => isPinfoldError(error, 'invalid_input') && /no room/.test(error.message),
  );
});
