import assert from 'node:assert/strict';
import test from 'node:test';
import { compileCodec, type ValueCodec } from '../../src/kernel/btf/codec/compile.ts';
import { JsonText } from '../../src/kernel/btf/codec/json-text.ts';
import { parseBtf } from '../../src/kernel/btf/parse.ts';
import { PinfoldError } from '../../src/model/error.ts';
import type { Json } from '../../src/model/json.ts';
import { BtfBuilder } from '../support/btf-builder.ts';

function codecOf(add: (builder: BtfBuilder) => number, size?: number): ValueCodec {
  const builder = new BtfBuilder();
  const id = add(builder);
  return compileCodec(parseBtf(builder.build()), id, size);
}

function written(codec: ValueCodec, bytes: Buffer): Json {
  const text = new JsonText(1);
  codec.writeJson(bytes, 0, text);
  return JSON.parse(text.view().toString()) as Json;
}

/** What a type makes of bytes (hexadecimal), there and back. */
const forms: readonly (readonly [string, (builder: BtfBuilder) => number, string, Json])[] = [
  ['a byte', (b) => b.int('u8', 1), 'ff', 255],
  ['a signed byte', (b) => b.int('s8', 1, 'signed'), 'ff', -1],
  ['a lone char is a number', (b) => b.int('char', 1, 'char'), '41', 65],
  ['32 bits', (b) => b.int('u32', 4), 'ffffffff', 4294967295],
  ['64 bits', (b) => b.int('u64', 8), 'ffffffffffffffff', '18446744073709551615'],
  ['64 bits, the least', (b) => b.int('s64', 8, 'signed'), '0000000000000080', '-9223372036854775808'],
  ['64 bits, -2^32', (b) => b.int('s64', 8, 'signed'), '00000000ffffffff', '-4294967296'],
  ['128 bits', (b) => b.int('u128', 16), `${'00'.repeat(15)}01`, '1329227995784915872903807060280344576'],
  ['the bits an old integer counts', (b) => b.int('odd', 4, 'none', 12), 'ff0f0000', 4095],
  ['true', (b) => b.int('bool', 1, 'bool'), '01', true],
  ['false', (b) => b.int('bool', 1, 'bool'), '00', false],
  ['a bool that is neither', (b) => b.int('bool', 1, 'bool'), '05', 5],
  ['a named value', (b) => b.enum('e', 4, { A: 1, B: 2 }), '02000000', 'B'],
  ['an unnamed value', (b) => b.enum('e', 4, { A: 1 }), '03000000', 3],
  ['a negative name', (b) => b.enum('e', 1, { A: -1 }, true), 'ff', 'A'],
  ['an unnamed negative value', (b) => b.enum('e', 1, { A: -1 }, true), 'fe', -2],
  ['a negative name of an old compiler', (b) => b.enum('e', 2, { A: -1 }), 'ffff', 'A'],
  ['the first of two names', (b) => b.enum('e', 4, { A: 1, B: 1 }), '01000000', 'A'],
  ['a wide name', (b) => b.enum64('e', 8, { A: 1n << 40n }), '0000000000010000', 'A'],
  ['a wide value', (b) => b.enum64('e', 8, { A: 0n }, true), 'ffffffffffffffff', '-1'],
  ['a name that looks like a number', (b) => b.enum('e', 4, { '7': 1 }), '01000000', 1],
  ['text', (b) => b.array(b.int('char', 1), 6), '6162630000 00'.replace(' ', ''), 'abc'],
  ['text to the last byte', (b) => b.array(b.int('char', 1), 3), '616263', 'abc'],
  ['text with quotes', (b) => b.array(b.int('char', 1), 4), '225c2200', '"\\"'],
  ['text beyond ASCII', (b) => b.array(b.int('char', 1), 4), 'c3bc0000', 'ü'],
  ['no text', (b) => b.array(b.int('char', 1), 2), '0000', ''],
  ['leftovers', (b) => b.array(b.int('char', 1), 4), '61006200', { text: 'a', tail: '6200' }],
  ['half a character', (b) => b.array(b.int('char', 1), 2), 'c300', { hex: 'c300' }],
  ['control characters', (b) => b.array(b.int('char', 1), 2), '1b5b', { hex: '1b5b' }],
  ['C1 control characters', (b) => b.array(b.int('char', 1), 2), 'c29b', { hex: 'c29b' }],
  ['signed chars are numbers', (b) => b.array(b.int('signed char', 1, 'signed'), 2), '61ff', [97, -1]],
  ['a pointer', (b) => b.ptr(0), '00c0a10081 88ffff'.replace(' ', ''), '0xffff888100a1c000'],
  ['a null pointer', (b) => b.ptr(0), '0000000000000000', '0x0'],
  ['a low pointer', (b) => b.ptr(0), '1000000000000000', '0x10'],
  ['a float', (b) => b.float('float', 4), '0000003f', 0.5],
  ['minus zero', (b) => b.float('double', 8), '0000000000000080', '-0'],
  ['not a number', (b) => b.float('double', 8), '000000000000f87f', 'NaN'],
  ['another NaN', (b) => b.float('double', 8), '010000000000f87f', { hex: '010000000000f87f' }],
  ['infinity', (b) => b.float('float', 4), '000080ff', '-Infinity'],
  ['a long double', (b) => b.float('long double', 16), '01'.repeat(16), { hex: '01'.repeat(16) }],
  [
    'rows',
    (b) => b.array(b.array(b.int('u8', 1), 2), 2),
    '01020304',
    [
      [1, 2],
      [3, 4],
    ],
  ],
  ['nothing', (b) => b.array(b.int('u8', 1), 0), '', []],
  ['an empty structure', (b) => b.struct('s', 0, []), '', {}],
  ['a lock', (b) => b.struct('bpf_spin_lock', 4, []), '00000000', { __kernel: 'bpf_spin_lock' }],
  ['a counted pointer', (b) => b.ptr(b.typeTag('kptr', b.fwd('t'))), '00'.repeat(8), { __kernel: 'kptr' }],
  [
    'typedefs and qualifiers',
    (b) => b.typedef('t', b.qualifier('const', b.qualifier('volatile', b.typeTag('x', b.int('u8', 1))))),
    '07',
    7,
  ],
];

for (const [what, add, hex, json] of forms) {
  test(`${what}: ${hex} is ${JSON.stringify(json)}, both ways`, () => {
    const codec = codecOf(add);
    const bytes = Buffer.from(hex, 'hex');
    assert.deepEqual(codec.decode(bytes), json);
    assert.deepEqual(written(codec, bytes), json);
    assert.deepEqual(codec.encode(json), bytes);
  });
}

test('bit fields of both styles cross bytes and keep their signs', () => {
  const codec = codecOf((b) => {
    const s32 = b.int('int', 4, 'signed');
    const u64 = b.int('u64', 8);
    return b.struct('s', 16, [
      { name: 'a', type: s32, at: 0, bits: 3 },
      { name: 'b', type: s32, at: 6, bits: 20 },
      { name: 'c', type: u64, at: 27, bits: 61 },
      { type: s32, at: 90, bits: 3 },
      { name: 'd', type: b.enum('e', 4, { ON: 1 }), at: 95, bits: 2 },
      { name: 'e', type: b.int('bool', 1, 'bool'), at: 97, bits: 1 },
    ]);
  });
  const value = { a: -4, b: -524288, c: '2305843009213693951', d: 'ON', e: true };
  const bytes = codec.encode(value);
  assert.equal(bytes.toString('hex'), '040000faffffffffffffff8002000000');
  assert.deepEqual(codec.decode(bytes), value);
  const old = codecOf((b) => {
    const three = b.type({ name: 'int', kind: 1, third: 4, rest: [(1 << 24) | (2 << 16) | 3] });
    return b.struct('s', 4, [{ name: 'x', type: three, at: 8 }]);
  });
  assert.deepEqual(old.decode(Buffer.from('00140000', 'hex')), { x: -3 });
  assert.equal(old.encode({ x: -3 }).toString('hex'), '00140000');
});

/** A structure with anonymous members: `{u8 a; union {u32 w; struct {u8 x; u8 y;};}; u64 __proto__;}`. */
function nested(b: BtfBuilder): number {
  const u8 = b.int('u8', 1);
  const u32 = b.int('u32', 4);
  const pair = b.struct('', 2, [
    { name: 'x', type: u8, at: 0 },
    { name: 'y', type: u8, at: 8 },
  ]);
  const either = b.union('', 4, [
    { name: 'w', type: u32, at: 0 },
    { type: pair, at: 0 },
  ]);
  return b.struct('s', 16, [
    { name: 'a', type: u8, at: 0 },
    { type: either, at: 32 },
    { name: '__proto__', type: b.int('u64', 8), at: 64 },
  ]);
}

test('members of anonymous structures and unions are those of the one around, by any name', () => {
  const codec = codecOf(nested);
  const bytes = Buffer.from('01000000020300000900000000000000', 'hex');
  const value = JSON.parse('{"a":1,"w":770,"x":2,"y":3,"__proto__":"9"}') as Json;
  assert.deepEqual(codec.decode(bytes), value);
  assert.deepEqual(written(codec, bytes), value);
  assert.deepEqual(codec.encode(value), bytes);
});

test('a union takes any of its views, and several only where they agree', () => {
  const codec = codecOf(nested);
  const encode = (members: string) =>
    codec.encode(JSON.parse(`{"a":0,"__proto__":"0",${members}}`) as Json).toString('hex', 4, 8);
  assert.equal(encode('"w":770'), '02030000');
  assert.equal(encode('"x":2,"y":3'), '02030000');
  assert.equal(encode('"w":66306,"x":2,"y":3'), '02030100');
  assert.throws(() => encode('"w":770,"x":1,"y":3'), /say different things of byte 4/);
  assert.throws(() => encode('"x":2'), /y is missing/);
  assert.throws(
    () => codec.encode(JSON.parse('{"a":0,"__proto__":"0"}') as Json),
    /one of w, x, y is missing/,
  );
});

test('a flexible array takes the rest of the value', () => {
  const add = (b: BtfBuilder): number => {
    const u8 = b.int('u8', 1);
    const tail = b.struct('tail', 2, [
      { name: 'n', type: b.int('u16', 2), at: 0 },
      { name: 'data', type: b.array(u8, 0), at: 16 },
    ]);
    return b.struct('s', 4, [
      { name: 'head', type: u8, at: 0 },
      { name: 'tail', type: tail, at: 16 },
    ]);
  };
  const bytes = Buffer.from('0100020007080900'.slice(0, 14), 'hex');
  const codec = codecOf(add, 7);
  assert.deepEqual(codec.decode(bytes), { head: 1, tail: { n: 2, data: [7, 8, 9] } });
  assert.deepEqual(codec.encode(codec.decode(bytes)), bytes);
  assert.deepEqual(codecOf(add, 4).decode(bytes), { head: 1, tail: { n: 2, data: [] } });
  assert.throws(() => codecOf(add, 3), /a value of 3 bytes cannot have a type of 4/);
});

test('a data section shows variables, tells equal names apart and loses no byte between them', () => {
  const codec = codecOf((b) => {
    const u8 = b.int('u8', 1);
    const first = b.variable('count', u8, 0);
    const second = b.variable('count', u8, 0);
    return b.datasec('.rodata', 8, [
      [second, 4, 1],
      [first, 0, 1],
    ]);
  });
  const plain = Buffer.from('0100000002000000', 'hex');
  assert.deepEqual(codec.decode(plain), { count: 1, 'count@4': 2 });
  const full = Buffer.from('010a000002000b00', 'hex');
  const value = { count: 1, 'count@4': 2, '@1': { hex: '0a0000' }, '@5': { hex: '000b00' } };
  assert.deepEqual(codec.decode(full), value);
  assert.deepEqual(written(codec, full), value);
  assert.deepEqual(codec.encode(value), full);
  assert.deepEqual(codec.encode({ count: 1, 'count@4': 2 }), plain);
});

test('a data section whose offsets libbpf has still to fill in is refused', () => {
  const add = (b: BtfBuilder): number => {
    const u32 = b.int('u32', 4);
    return b.datasec('.bss', 0, [
      [b.variable('a', u32), 0, 4],
      [b.variable('b', u32), 0, 4],
    ]);
  };
  assert.throws(() => codecOf(add, 8), /variables are not where they can be/);
});

/** Values that do not fit, with where and why. */
const misfits: readonly (readonly [Json, string, RegExp])[] = [
  [5, '', /5 is not an object/],
  [null, '', /null is not an object/],
  [[[]], '', /an array is not an object/],
  ['x'.repeat(50), '', /"x{39}… is not an object/],
  [{ n: 1, list: [1, 2] }, '', /text is missing/],
  [{ n: 1, list: [1, 2], text: '', more: 1 }, '', /there is no member "more"/],
  [{ n: 256, list: [1, 2], text: '' }, '/n', /256 is not from 0 to 255/],
  [{ n: 1.5, list: [1, 2], text: '' }, '/n', /1.5 is not an integer/],
  [{ n: '1', list: [1, 2], text: '' }, '/n', /"1" is not an integer/],
  [{ n: 1, list: [1], text: '' }, '/list', /1 elements are not 2/],
  [{ n: 1, list: [1, -1], text: '' }, '/list/1', /-1 is not from 0/],
  [{ n: 1, list: {}, text: '' }, '/list', /is not an array of 2/],
  [{ n: 1, list: [1, 2], text: 'abcde' }, '/text', /has 5 bytes, more than 4/],
  [{ n: 1, list: [1, 2], text: '\ud800' }, '/text', /surrogate/],
  [{ n: 1, list: [1, 2], text: 'a\0' }, '/text', /no NUL/],
  [{ n: 1, list: [1, 2], text: { hex: '00' } }, '/text', /is not 4 bytes/],
  [{ n: 1, list: [1, 2], text: { text: 'ab', tail: '' } }, '/text', /is not 1 byte in/],
  [{ n: 1, list: [1, 2], text: { other: 1 } }, '/text', /is neither/],
];

for (const [value, pointer, detail] of misfits) {
  test(`${JSON.stringify(value)} is refused at "${pointer}"`, () => {
    const codec = codecOf((b) => {
      const u8 = b.int('u8', 1);
      return b.struct('s', 7, [
        { name: 'n', type: u8, at: 0 },
        { name: 'list', type: b.array(u8, 2), at: 8 },
        { name: 'text', type: b.array(b.int('char', 1), 4), at: 24 },
      ]);
    });
    assert.throws(
      () => codec.encode(value),
      (error: unknown) => {
        assert.ok(error instanceof PinfoldError);
        assert.equal(error.code, 'invalid_input');
        assert.deepEqual(
          error.details.errors?.map((each) => each.pointer),
          [pointer],
        );
        assert.match(error.message, detail);
        return true;
      },
    );
  });
}

test('a pointer escapes what JSON pointers escape', () => {
  const codec = codecOf((b) => b.struct('s', 1, [{ name: 'a/b~c', type: b.int('u8', 1), at: 0 }]));
  assert.throws(() => codec.encode({ 'a/b~c': -1 }), /^PinfoldError: \/a~1b~0c: /);
});

test('digits of every 64-bit number are those of bigint', () => {
  const edges = [0n, 9n, 10n, 99n, 999_999_999n, 10n ** 9n, 2n ** 32n, 2n ** 53n, 10n ** 18n, 10n ** 19n];
  const values = edges.flatMap((edge) => [edge - 1n, edge, edge + 1n]).filter((value) => value >= 0n);
  for (let bit = 0n; bit < 64n; bit++)
    values.push(1n << bit, (1n << bit) - 1n, 0xdead_beef_cafe_f00dn >> bit);
  for (const value of values) {
    const text = new JsonText(1);
    text.wide(Number(value >> 32n), Number(value & 0xffff_ffffn));
    text.byte(0x20);
    text.hexadecimal(Number(value >> 32n), Number(value & 0xffff_ffffn));
    assert.equal(text.view().toString(), `${value} 0x${value.toString(16)}`);
  }
});
