import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { compileCodec } from '../../src/kernel/btf/codec/compile.ts';
import { JsonText } from '../../src/kernel/btf/codec/json-text.ts';
import { parseBtf } from '../../src/kernel/btf/parse.ts';
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
