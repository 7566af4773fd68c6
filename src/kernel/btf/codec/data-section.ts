import type { Json, JsonObject } from '../../../model/json.ts';
import { badBtf } from '../bad-btf.ts';
import { targetOf, type Variable, variablesOf } from '../details.ts';
import { bytesCodec } from './bytes.ts';
import type { Codec } from './codec.ts';
import type { Compiler } from './compiler.ts';
import type { Field } from './fields.ts';
import { uniqueName } from './group.ts';
import { inside, isObject, Misfit, shown } from './misfit.ts';
import { objectCodec } from './object.ts';

/**
 * A data section (`.data`, `.rodata`, `.bss`, `.kconfig`): an object with a member for each variable.
 *
 * Bytes between the variables belong to constants without a name. Where they are not zero they appear as
 * `"@12":{"hex":"…"}`, so that writing a section back loses nothing.
 *
 * @throws PinfoldError invalid_input where variables overlap: so in BTF that was never loaded, whose offsets
 * libbpf has still to fill in
 */
export function dataSectionCodec(compiler: Compiler, id: number, size: number): Codec {
  const names = new Set<string>();
  const fields: Field[] = [];
  const gaps: Field[] = [];
  let free = 0;
  const upTo = (offset: number): void => {
    if (offset > free) gaps.push(gap(free, offset - free));
    if (offset < free || offset > size) throw badBtf('variables are not where they can be', { type_id: id });
  };
  for (const variable of variablesOf(compiler.btf, id).sort((a, b) => a.offset - b.offset)) {
    compiler.step(id);
    upTo(variable.offset);
    const field = fieldOf(compiler, variable, names);
    fields.push(field);
    free = variable.offset + field.codec.size;
  }
  upTo(size);
  return withGaps(objectCodec({ isUnion: false, parts: fields }, size), gaps);
}

function fieldOf(compiler: Compiler, variable: Variable, names: Set<string>): Field {
  const { btf } = compiler;
  const { typeId, offset, size } = variable;
  if (btf.kindOf(typeId) !== 'var') throw badBtf('a data section of something else than variables');
  const target = targetOf(btf, typeId);
  const codec = compiler.codecOf(target, compiler.isFlexible(target) ? size : undefined);
  const name = uniqueName(compiler.nameWithin(btf.nameOf(typeId), typeId), offset, names);
  return { name, offset, codec, isOptional: codec.isKernelOwned === true };
}

/** The at sign cannot be in a name of C. */
function gap(offset: number, size: number): Field {
  return { name: `@${offset}`, offset, codec: bytesCodec(size), isOptional: true };
}

function withGaps(variables: Codec, gaps: readonly Field[]): Codec {
  const usedGaps = (bytes: Buffer, at: number): Field[] =>
    gaps.filter(({ offset, codec }) => {
      const start = at + offset;
      return bytes.subarray(start, start + codec.size).some((byte) => byte !== 0);
    });
  const decode = (bytes: Buffer, at: number): Json => {
    const used = usedGaps(bytes, at).map(({ name, offset, codec }) => [
      name,
      codec.decode(bytes, at + offset),
    ]);
    const named = variables.decode(bytes, at);
    return used.length > 0 && isObject(named) ? { ...named, ...Object.fromEntries(used) } : named;
  };
  return {
    ...variables,
    emit: undefined,
    decode,
    write: (bytes, at, text) => {
      if (usedGaps(bytes, at).length === 0) variables.write(bytes, at, text);
      else text.string(JSON.stringify(decode(bytes, at)));
    },
    encode: (value, into, at) => {
      if (!isObject(value)) throw new Misfit(`${shown(value)} is not an object`);
      const rest: Record<string, Json> = { ...value };
      for (const { name, offset, codec } of gaps) {
        const bytes = rest[name];
        delete rest[name];
        if (bytes !== undefined) inside(name, () => codec.encode(bytes, into, at + offset));
      }
      variables.encode(rest satisfies JsonObject, into, at);
    },
    mark: (mask, at) => {
      variables.mark(mask, at);
      for (const { offset, codec } of gaps) codec.mark(mask, at + offset);
    },
  };
}
