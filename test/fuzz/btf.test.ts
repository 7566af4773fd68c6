import assert from 'node:assert/strict';
import test from 'node:test';
import type { Btf } from '../../src/kernel/btf/btf.ts';
import { compileCodec, type ValueCodec } from '../../src/kernel/btf/codec/compile.ts';
import { JsonText } from '../../src/kernel/btf/codec/json-text.ts';
import { btfLimits } from '../../src/kernel/btf/limits.ts';
import { memberOffset } from '../../src/kernel/btf/member-offset.ts';
import { parseBtf } from '../../src/kernel/btf/parse.ts';
import { renderTypes, typeName } from '../../src/kernel/btf/render/c-source.ts';
import { renderJson } from '../../src/kernel/btf/render/json.ts';
import { Arena } from '../../src/kernel/json-code/arena.ts';
import { compileLines, LineWriter } from '../../src/kernel/json-code/line-writer.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import type { Json } from '../../src/model/json.ts';
import { BtfBuilder } from '../support/btf-builder.ts';
import { btfSection } from '../support/btf-dump.ts';
import { compileBpf } from '../support/c-program.ts';
import { random, testSeed } from '../support/seed.ts';

const rounds = 100_000;
const seed = testSeed();
const dice = random(seed);

/** Every kind once, so that each byte that is changed means something. */
function everyKind(): Buffer {
  const b = new BtfBuilder();
  const int = b.int('int', 4, 'signed');
  const char = b.int('char', 1, 'char');
  const flag = b.enum('flag', 4, { OFF: 0, ON: 1 });
  const wide = b.enum64('wide', 8, { NEAR: 1n, FAR: 1n << 40n });
  const text = b.typedef('text', b.array(char, 8));
  const inner = b.union('', 8, [
    { name: 'number', type: b.qualifier('const', int), at: 0 },
    { name: 'words', type: b.array(b.qualifier('volatile', int), 2), at: 0 },
  ]);
  const outer = b.struct('outer', 48, [
    { name: 'text', type: text, at: 0, bits: 0 },
    { type: inner, at: 64, bits: 0 },
    { name: 'low', type: int, at: 128, bits: 3 },
    { name: 'high', type: flag, at: 131, bits: 5 },
    { name: 'wide', type: wide, at: 192, bits: 0 },
    { name: 'self', type: b.ptr(b.typeTag('kptr', b.fwd('other'))), at: 256, bits: 0 },
    { name: 'real', type: b.float('double', 8), at: 320, bits: 0 },
  ]);
  const proto = b.proto(int, [{ name: 'o', type: b.ptr(outer) }, { type: 0 }]);
  b.declTag('tag', b.func('f', proto), 0);
  b.qualifier('restrict', b.ptr(proto));
  b.datasec('.data', 56, [
    [b.variable('first', outer), 0, 48],
    [b.variable('second', int), 52, 4],
  ]);
  return b.build();
}

const blobs = [everyKind(), btfSection(compileBpf('btf-shapes')), btfSection(compileBpf('counters'))];

/** Some bytes, words or lengths changed; the header, where nearly everything is fatal, less often. */
function damaged(): Buffer {
  const bytes = Buffer.from(dice.pick(blobs));
  const from = dice.int(10) === 0 ? 0 : 24;
  for (let changes = 1 + dice.int(6); changes > 0; changes--) {
    const at = from + dice.int(bytes.length - from - 4);
    const word = at - (at % 4);
    if (dice.int(3) === 0) bytes[at] = dice.int(256);
    else if (dice.int(2) === 0) bytes.writeUInt32LE(dice.int(64), word);
    else bytes.writeUInt32LE((bytes.readUInt32LE(word) ^ (1 << dice.int(32))) >>> 0, word);
  }
  return dice.int(20) === 0 ? bytes.subarray(0, dice.int(bytes.length)) : bytes;
}

/** Counts every word that is read of a BTF. */
function countReads(btf: Btf): { reads: number } {
  const count = { reads: 0 };
  const read = btf.word.bind(btf);
  btf.word = (id, index) => {
    count.reads++;
    return read(id, index);
  };
  return count;
}

/** Runs it, which may be refused, but only as the input's fault; tells whether it was. */
function isRefused(round: number, run: () => void): boolean {
  try {
    run();
    return false;
  } catch (error) {
    assert.ok(
      isPinfoldError(error, 'invalid_input'),
      `seed ${seed}, round ${round}: ${String(error)} ${(error as Error).stack}`,
    );
    return true;
  }
}

/** Values of a type: decoded, written as text, and encoded again. */
function useValues(btf: Btf, id: number): void {
  const size = btf.sizeOf(id) ?? 0;
  if (size > 4096) return;
  const codec = compileCodec(btf, id, dice.int(4) === 0 ? dice.int(64) : size);
  const bytes = Buffer.from(dice.bytes(codec.size));
  const text = new JsonText();
  codec.writeJson(bytes, 0, text);
  const value = codec.decode(bytes);
  assert.deepEqual(JSON.parse(text.view().toString()), value);
  assert.deepEqual(codec.decode(codec.encode(value)), value);
  if (dice.int(8) === 0) assertSameByCode(codec, bytes, text.view().toString());
}

/** Code made from damaged BTF writes the same, or leaves it to the closures; it never leaves its memory. */
function assertSameByCode({ emit, size }: ValueCodec, bytes: Buffer, expected: string): void {
  const code =
    emit === undefined
      ? undefined
      : compileLines({ keySize: 0, valueSize: size, emit: (json) => emit(json, 0) });
  if (code === undefined || code.lineBytesMax > 1024 * 1024) return;
  const arena = new Arena(size + 16 + code.lineBytesMax);
  const value = arena.take(size + 8);
  value.set(bytes);
  const out = arena.take(code.lineBytesMax);
  const at = arena.addressOf(out) ?? 0;
  const key = arena.addressOf(value) ?? 0;
  const lines = { key, value: 0, count: 1, out: at, outEnd: at + 1 };
  const { count, end } = new LineWriter(arena, code).write(lines);
  assert.equal(out.toString('utf8', 0, end - at), count === 1 ? `${expected}\n` : '');
}

test(`${rounds} damaged blobs: refused or used, never a crash, and work is bounded by their size`, () => {
  const uses: readonly ((btf: Btf, id: number) => void)[] = [
    useValues,
    (btf, id) => void [...renderTypes(btf, [id])],
    (btf, id) => void typeName(btf, id),
    (btf) => void [...renderJson(btf)],
    (btf, id) => {
      try {
        memberOffset(btf, id, 'text');
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    },
  ];
  let parsed = 0;
  let refusals = 0;
  for (let round = 0; round < rounds; round++) {
    const bytes = damaged();
    const wasRefused = isRefused(round, () => {
      const btf = parseBtf(bytes);
      parsed++;
      assert.ok(btf.steps <= bytes.length / 4 + btf.typeCount);
      const count = countReads(btf);
      const use = dice.int(50) === 0 ? dice.int(uses.length) : dice.pick([0, 1, 2, 4]);
      uses[use]?.(btf, 1 + dice.int(btf.typeCount));
      const steps = btfLimits.stepsPerWord * btf.wordCount + btfLimits.valuesPerByte * 4096;
      assert.ok(count.reads <= 8 * steps, `seed ${seed}, round ${round}: ${count.reads} reads`);
    });
    if (wasRefused) refusals++;
  }
  assert.ok(parsed > rounds / 4, `${parsed} parsed`);
  assert.ok(refusals > rounds / 4, `${refusals} refused`);
});

/** What no value of the types below is. */
const nonsense: readonly Json[] = [
  null,
  true,
  -1,
  1.5,
  2 ** 64,
  '',
  'x'.repeat(100),
  '-1',
  '99999999999999999999999999999999999999999',
  '\ud800',
  [],
  [[]],
  {},
  { hex: 'zz' },
  { hex: '00' },
  { text: 'a', tail: '' },
  { __kernel: 'bpf_timer' },
  nested(40),
  nested(10_000),
  { hex: nested(10_000) },
];

/** Arrays in each other: what nests too deep is refused like any other misfit, and never a stack overflow. */
function nested(levels: number): Json {
  let value: Json = [];
  for (let level = 1; level < levels; level++) value = [value];
  return value;
}

/** A copy of a value with one part, anywhere in it, replaced, removed, repeated or added. */
function mutated(value: Json): Json {
  if (Array.isArray(value) && value.length > 0 && dice.int(4) !== 0) {
    const at = dice.int(value.length);
    if (dice.int(8) === 0) return [...value, value[at] ?? null];
    return value.map((each: Json, index) => (index === at ? mutated(each) : each));
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && dice.int(8) !== 0) {
    const names = Object.keys(value);
    const name = names.length === 0 ? 'x' : dice.pick(names);
    if (dice.int(8) === 0) return { ...value, [`${name}x`]: 1 };
    if (dice.int(8) === 0) return Object.fromEntries(Object.entries(value).filter(([each]) => each !== name));
    return { ...value, [name]: mutated((value as Readonly<Record<string, Json>>)[name] ?? null) };
  }
  return dice.pick(nonsense);
}

test(`${rounds} malformed values: refused with a pointer, or encoded so that they decode`, () => {
  const codecs = blobs.flatMap((blob) => {
    const btf = parseBtf(blob);
    return ['outer', 'shapes', 'owned', 'packed']
      .map((name) => btf.find('struct', name))
      .filter((id) => id !== undefined)
      .map((id) => compileCodec(btf, id));
  });
  let refusals = 0;
  for (let round = 0; round < rounds; round++) {
    const codec = dice.pick(codecs);
    const value = mutated(codec.decode(Buffer.from(dice.bytes(codec.size))));
    const wasRefused = isRefused(round, () => {
      const bytes = codec.encode(value);
      assert.deepEqual(codec.encode(codec.decode(bytes)), bytes);
    });
    if (wasRefused) refusals++;
  }
  assert.ok(refusals > rounds / 2, `${refusals} refused`);
});
