import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { compileCodec } from '../../src/kernel/btf/codec/compile.ts';
import { JsonText } from '../../src/kernel/btf/codec/json-text.ts';
import { parseBtf } from '../../src/kernel/btf/parse.ts';
import { Arena } from '../../src/kernel/json-code/arena.ts';
import { compileLines, LineWriter } from '../../src/kernel/json-code/line-writer.ts';
import { BtfBuilder } from '../support/btf-builder.ts';
import { type Shape, shapes } from '../support/btf-shape.ts';
import { random, testSeed } from '../support/seed.ts';

const seed = testSeed();
const numRuns = 3_000;

function codecOf(shape: Shape) {
  const builder = new BtfBuilder();
  const id = shape.add(builder);
  return compileCodec(parseBtf(builder.build()), id, shape.size);
}

/** Bytes that are often zero, often text, and sometimes anything. */
function someBytes(length: number, from: number): Buffer {
  const { int, pick } = random(from);
  const kinds = [() => 0, () => 0x20 + int(0x5f), () => int(256), () => 0xff];
  const kind = pick(kinds);
  return Buffer.from(Array.from({ length }, () => (int(8) === 0 ? pick(kinds)() : kind())));
}

test('for any type and any bytes, encoding what was decoded gives the meaningful bytes again', () => {
  const property = fc.property(shapes, fc.nat(), (shape, from) => {
    const codec = codecOf(shape);
    const mask = codec.mask();
    const bytes = someBytes(codec.size, from);
    const meaningful = Buffer.from(bytes.map((byte, index) => byte & (mask[index] ?? 0)));
    assert.deepEqual(codec.encode(codec.decode(bytes)), meaningful);
  });
  fc.assert(property, { seed, numRuns });
});

test('for any type and any bytes, decoding does not look at padding, and decodes what was encoded', () => {
  const property = fc.property(shapes, fc.nat(), (shape, from) => {
    const codec = codecOf(shape);
    const value = codec.decode(someBytes(codec.size, from));
    assert.deepEqual(codec.decode(codec.encode(value)), value);
  });
  fc.assert(property, { seed, numRuns });
});

test('for any type and any bytes, the text written is the JSON of the value, byte for byte', () => {
  const property = fc.property(shapes, fc.nat(), (shape, from) => {
    const codec = codecOf(shape);
    const bytes = someBytes(codec.size + 3, from);
    const text = new JsonText(1);
    codec.writeJson(bytes, 3, text);
    assert.equal(text.view().toString(), JSON.stringify(codec.decode(bytes, 3)));
  });
  fc.assert(property, { seed, numRuns });
});

test('for any type and any bytes, code writes what the closures write, or leaves it to them', () => {
  let written = 0;
  let leftOver = 0;
  const property = fc.property(shapes, fc.nat(), (shape, from) => {
    const { emit, size, writeJson } = codecOf(shape);
    if (emit === undefined) return;
    const code = compileLines({
      keySize: 0,
      valueSize: size,
      emit: (json, toValue) => {
        toValue();
        emit(json, 3);
      },
    });
    if (code === undefined) return;
    const arena = new Arena(64 * 1024 + 3 * size + 3 * code.lineBytesMax);
    const values = arena.take(3 * size + 16);
    const bytes = someBytes(3 * size + 3, from);
    values.set(bytes);
    const out = arena.take(3 * code.lineBytesMax).fill(0x55);
    const value = arena.addressOf(values) ?? 0;
    const at = arena.addressOf(out) ?? 0;
    const lines = { key: 0, value, count: 3, out: at, outEnd: at + out.length };
    const { count, end } = new LineWriter(arena, code).write(lines);
    const text = new JsonText();
    for (let index = 0; index < count; index++) {
      writeJson(bytes, 3 + index * size, text);
      text.byte(0x0a);
    }
    assert.equal(out.toString('utf8', 0, end - at), text.view().toString());
    assert.ok(end - at <= count * code.lineBytesMax);
    if (count === 3) written++;
    else {
      leftOver++;
      writeJson(bytes, 3 + count * size, text);
      assert.match(text.view().toString(), /[^ -~\n]|"hex":|"text":|\\/);
    }
  });
  fc.assert(property, { seed, numRuns });
  assert.ok(written > numRuns / 4, `${written} written, ${leftOver} left`);
});
