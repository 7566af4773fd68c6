import type { Json } from '../../../model/json.ts';
import type { Emit } from '../../json-code/json-code.ts';
import type { Codec } from './codec.ts';
import { type Field, fieldsOf, fillGroup, type Group, markPart } from './fields.ts';
import type { JsonText } from './json-text.ts';
import { isObject, Misfit, shown } from './misfit.ts';

/**
 * A structure or union: an object with a member for each field, those of anonymous structures and unions in
 * it among them, as C names them.
 */
export function objectCodec(group: Group, size: number): Codec {
  const fields = fieldsOf(group);
  const names = new Set(fields.map(({ name }) => name));
  return {
    size,
    work: fields.reduce((sum, { codec }) => sum + codec.work, 1),
    decode: objectDecoder(fields),
    write: objectWriter(fields),
    emit: objectEmitter(fields),
    encode: (value, into, at) => {
      if (!isObject(value)) throw new Misfit(`${shown(value)} is not an object`);
      for (const name of Object.keys(value)) {
        if (!names.has(name)) throw new Misfit(`there is no member ${shown(name)}`);
      }
      fillGroup(group, value, { into, at, size });
    },
    mark: (mask, at) => markPart(group, mask, at),
  };
}

function objectDecoder(fields: readonly Field[]): Codec['decode'] {
  const count = fields.length;
  const names = fields.map(({ name }) => name);
  const offsets = fields.map(({ offset }) => offset);
  const decodes = fields.map(({ codec }) => codec.decode);
  // Assigning to this name would set the prototype instead of making a member.
  if (names.includes('__proto__')) {
    return (bytes, at) =>
      Object.fromEntries(fields.map(({ name, offset, codec }) => [name, codec.decode(bytes, at + offset)]));
  }
  return (bytes, at) => {
    const object: Record<string, Json> = {};
    for (let index = 0; index < count; index++) {
      const decode = decodes[index];
      if (decode !== undefined) object[names[index] ?? ''] = decode(bytes, at + (offsets[index] ?? 0));
    }
    return object;
  };
}

function objectWriter(fields: readonly Field[]): Codec['write'] {
  const count = fields.length;
  const offsets = fields.map(({ offset }) => offset);
  const writes = fields.map(({ codec }) => codec.write);
  const heads = fields.map(({ name }, index) =>
    Buffer.from(`${index === 0 ? '{' : ','}${JSON.stringify(name)}:`),
  );
  return (bytes: Buffer, at: number, text: JsonText) => {
    if (count === 0) text.byte(0x7b);
    for (let index = 0; index < count; index++) {
      const head = heads[index];
      const write = writes[index];
      if (head === undefined || write === undefined) continue;
      text.raw(head);
      write(bytes, at + (offsets[index] ?? 0), text);
    }
    text.byte(0x7d);
  };
}

function objectEmitter(fields: readonly Field[]): Emit | undefined {
  const parts = fields.flatMap(({ name, offset, codec: { emit } }) =>
    emit === undefined ? [] : [{ head: `${JSON.stringify(name)}:`, offset, emit }],
  );
  if (parts.length < fields.length) return undefined;
  return (json, at) => {
    json.literal('{');
    for (const [index, { head, offset, emit }] of parts.entries()) {
      json.literal(index === 0 ? head : `,${head}`);
      emit(json, at + offset);
    }
    json.literal('}');
  };
}
