import assert from 'node:assert/strict';
import type { Json } from '../../../model/json.ts';
import type { Emit } from '../../json-code/json-code.ts';
import type { Btf } from '../btf.ts';
import { Compiler } from './compiler.ts';
import type { JsonText } from './json-text.ts';
import { Misfit } from './misfit.ts';

/** Reads and writes values of one type. */
export interface ValueCodec {
  /** Bytes a value takes. */
  readonly size: number;
  /** Types and members looked at to make it. */
  readonly steps: number;
  /** The value at an offset of a buffer. */
  decode(bytes: Buffer, at?: number): Json;
  /** Writes the JSON text of `decode` to the end of `text`, without making values: the way of dumps. */
  writeJson(bytes: Buffer, at: number, text: JsonText): void;
  /** Makes code that writes the same; undefined where only `writeJson` can. */
  readonly emit: Emit | undefined;
  /** The bytes of a value, padding zero. @throws PinfoldError invalid_input, with a JSON pointer */
  encode(value: Json): Buffer;
  /** The same into a buffer of the caller's, which it overwrites whole. @throws PinfoldError invalid_input */
  encodeInto(value: Json, into: Buffer, at: number): void;
  /** A one for each bit that carries meaning, a zero for padding and what the kernel keeps to itself. */
  mask(): Buffer;
}

/**
 * Makes the codec of a type, once for all values of a map.
 *
 * `size` is what the map says a key or value takes. It may be left out; if it is more than the type has, the
 * type must end with a flexible array. What the JSON looks like is in README.md.
 *
 * @throws PinfoldError invalid_input where the type has no values, does not fit the size, or is damaged
 */
export function compileCodec(btf: Btf, typeId: number, size?: number): ValueCodec {
  const compiler = new Compiler(btf, size ?? btf.sizeOf(typeId) ?? 0);
  const codec = compiler.codecOf(typeId, size);
  // A caller that passes too few bytes has miscounted; silence would show bytes of something else.
  const check = (bytes: Buffer, at: number): void =>
    assert(at >= 0 && at + codec.size <= bytes.length, 'the buffer is shorter than the value');
  const encodeInto = (value: Json, into: Buffer, at: number): void => {
    check(into, at);
    into.fill(0, at, at + codec.size);
    try {
      codec.encode(value, into, at);
    } catch (thrown) {
      throw thrown instanceof Misfit ? thrown.toError() : thrown;
    }
  };
  return {
    size: codec.size,
    steps: compiler.steps,
    decode: (bytes, at = 0) => {
      check(bytes, at);
      return codec.decode(bytes, at);
    },
    emit: codec.emit,
    writeJson: (bytes, at, text) => {
      check(bytes, at);
      codec.write(bytes, at, text);
    },
    encode: (value) => {
      const bytes = Buffer.alloc(codec.size);
      encodeInto(value, bytes, 0);
      return bytes;
    },
    encodeInto,
    mask: () => {
      const mask = Buffer.alloc(codec.size);
      codec.mark(mask, 0);
      return mask;
    },
  };
}
