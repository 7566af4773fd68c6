import type { Json } from '../../../model/json.ts';
import type { Emit } from '../../json-code/json-code.ts';
import type { Codec } from './codec.ts';
import { inside, Misfit, shown } from './misfit.ts';

const comma = 0x2c;

/** `length` values of one type, one after the other. */
export function arrayCodec(element: Codec, length: number): Codec {
  const { size, decode, write, emit, encode, mark } = element;
  return {
    size: size * length,
    work: 1 + element.work * length,
    decode: (bytes, at) => {
      const values: Json[] = [];
      for (let index = 0; index < length; index++) values.push(decode(bytes, at + index * size));
      return values;
    },
    write: (bytes, at, text) => {
      text.byte(0x5b);
      for (let index = 0; index < length; index++) {
        if (index > 0) text.byte(comma);
        write(bytes, at + index * size, text);
      }
      text.byte(0x5d);
    },
    emit: emit === undefined ? undefined : emitArray(emit, size, length),
    encode: (value, into, at) => {
      if (!Array.isArray(value)) throw new Misfit(`${shown(value)} is not an array of ${length}`);
      if (value.length !== length) throw new Misfit(`${value.length} elements are not ${length}`);
      for (let index = 0; index < length; index++) {
        inside(index, () => encode(value[index], into, at + index * size));
      }
    },
    mark: (mask, at) => {
      for (let index = 0; index < length; index++) mark(mask, at + index * size);
    },
  };
}

function emitArray(element: Emit, size: number, length: number): Emit {
  return (json, at) => {
    json.literal('[');
    if (length > 0) json.repeat({ at, stride: size, length }, () => element(json, 0));
    json.literal(']');
  };
}
