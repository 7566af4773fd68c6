import { badBtf } from '../../btf/bad-btf.ts';
import type { Btf } from '../../btf/btf.ts';
import { bigCell } from '../../btf/codec/cell.ts';
import {
  arrayOf,
  enumeratorsOf,
  intOf,
  type Member,
  membersOf,
  targetOf,
  variablesOf,
} from '../../btf/details.ts';
import type { MapShape } from '../map-shape.ts';
import { typeIdsOf } from '../type-ids.ts';
import { writeCpus } from './cpus.ts';
import type { EntryWrite, Write } from './part.ts';

const formattedHead = ',"formatted":{';

/** More types inside of each other than this are refused. */
const depthMax = 32;

/**
 * `,"formatted":{"key":…,"value":…}`, as bpftool adds it for maps with BTF (btf_dumper.c, map.c); undefined
 * for a map without.
 */
export function bpftoolValue(
  shape: MapShape,
  findBtf: (info: MapShape['info']) => Btf | undefined,
): EntryWrite | undefined {
  const { info, cpuStride, cpus } = shape;
  const { key: keyType, value: valueType } = typeIdsOf(info);
  if (valueType === undefined) return undefined;
  const btf = findBtf(info);
  if (btf === undefined) return undefined;
  const key = keyType === undefined ? undefined : writerOf(btf, keyType);
  const value = writerOf(btf, valueType);
  return (place, text) => {
    text.string(formattedHead);
    if (key !== undefined) {
      text.string('"key":');
      key(place.keys, place.keyAt, text);
      text.byte(0x2c);
    }
    text.string(cpuStride === undefined ? '"value":' : '"values":[');
    if (cpuStride === undefined) value(place.values, place.valueAt, text);
    else writeCpus({ value, cpuStride, cpus }, place.values, place.valueAt, text);
    text.byte(0x7d);
  };
}

/** How bpftool prints a type. @throws PinfoldError invalid_input for one it cannot print */
function writerOf(btf: Btf, typeId: number, depth = 0): Write {
  if (depth > depthMax) throw badBtf('nested too deeply', { type_id: typeId });
  const id = btf.resolve(typeId);
  switch (btf.kindOf(id)) {
    case 'int':
      return intWriter(btf, id);
    case 'ptr':
      return (bytes, at, text) => text.string(String(bytes.readBigUInt64LE(at)));
    case 'enum':
    case 'enum64':
      return enumWriter(btf, id);
    case 'array':
      return arrayWriter(btf, id, depth);
    case 'struct':
    case 'union':
      return structWriter(btf, id, depth);
    case 'var':
      return varWriter(btf, id, depth);
    case 'datasec':
      return sectionWriter(btf, id, depth);
    default:
      throw badBtf(`bpftool does not print ${btf.kindOf(id)}`, { type_id: typeId });
  }
}

function intWriter(btf: Btf, id: number): Write {
  const { bits, bitOffset, encoding } = intOf(btf, id);
  if (bitOffset !== 0 || ![8, 16, 32, 64].includes(bits)) return bitsWriter(bitOffset, bits);
  const { get } = bigCell({ offset: 0, width: bits, isSigned: encoding === 'signed' });
  if (encoding === 'bool') return (bytes, at, text) => text.string(bytes[at] === 0 ? 'false' : 'true');
  if (encoding === 'char') return (bytes, at, text) => text.string(charText(bytes[at] ?? 0));
  return (bytes, at, text) => text.string(String(get(bytes, at)));
}

/** A char that is not printable gets an escape of two digits in four. */
function charText(byte: number): string {
  const isPrintable = byte > 0x1f && byte < 0x7f;
  return isPrintable ? `"${String.fromCharCode(byte)}"` : `"\\u00${byte.toString(16).padStart(2, '0')}"`;
}

/** Bit fields, and integers of other widths, are hexadecimal texts. */
function bitsWriter(offset: number, width: number): Write {
  const { get } = bigCell({ offset, width, isSigned: false });
  return (bytes, at, text) => text.string(`"0x${get(bytes, at).toString(16)}"`);
}

function enumWriter(btf: Btf, id: number): Write {
  const width = 8 * btf.word(id, 2);
  const isSigned = btf.kindOf(id) === 'enum' || btf.hasFlag(id);
  const { get } = bigCell({ offset: 0, width, isSigned });
  const names = new Map(
    enumeratorsOf(btf, id)
      .reverse()
      .map(({ name, bits }) => [BigInt.asUintN(width, bits), JSON.stringify(name)]),
  );
  return (bytes, at, text) => {
    const value = get(bytes, at);
    text.string(names.get(BigInt.asUintN(width, value)) ?? String(value));
  };
}

function arrayWriter(btf: Btf, id: number, depth: number): Write {
  const { elementId, length } = arrayOf(btf, id);
  const size = btf.sizeOf(elementId) ?? 0;
  if (length > 0 && size === 0) throw badBtf('an array of what has no size', { type_id: id });
  const element = length === 0 ? undefined : writerOf(btf, elementId, depth + 1);
  const isText = isChar(btf, elementId);
  return (bytes, at, text) => {
    const end = isText ? textEnd(bytes, at, length) : undefined;
    if (end !== undefined) {
      text.string(JSON.stringify(bytes.toString('latin1', at, end)));
      return;
    }
    text.byte(0x5b);
    for (let index = 0; index < length; index++) {
      if (index > 0) text.byte(0x2c);
      element?.(bytes, at + index * size, text);
    }
    text.byte(0x5d);
  };
}

function isChar(btf: Btf, typeId: number): boolean {
  const id = btf.resolve(typeId);
  if (btf.kindOf(id) !== 'int' || btf.sizeOf(id) !== 1) return false;
  return intOf(btf, id).encoding === 'char' || btf.nameOf(id) === 'char';
}

/** Where the NUL of a text is; undefined where there is none, or what is before it is not printable. */
function textEnd(bytes: Buffer, at: number, length: number): number | undefined {
  for (let next = at; next < at + length; next++) {
    const byte = bytes[next] ?? 0;
    if (byte === 0) return next;
    if (byte <= 0x1f || byte >= 0x7f) return undefined;
  }
  return undefined;
}

function structWriter(btf: Btf, id: number, depth: number): Write {
  const members = membersOf(btf, id).map((member) => ({
    head: `${JSON.stringify(member.name)}:`,
    offset: member.bitOffset >>> 3,
    write: memberWriter(btf, member, depth),
  }));
  return (bytes, at, text) => {
    text.byte(0x7b);
    for (const [index, { head, offset, write }] of members.entries()) {
      if (index > 0) text.byte(0x2c);
      text.string(head);
      write(bytes, at + offset, text);
    }
    text.byte(0x7d);
  };
}

function memberWriter(btf: Btf, { typeId, bitOffset, bitSize }: Member, depth: number): Write {
  return bitSize > 0 ? bitsWriter(bitOffset & 7, bitSize) : writerOf(btf, typeId, depth + 1);
}

function varWriter(btf: Btf, id: number, depth: number): Write {
  const write = writerOf(btf, targetOf(btf, id), depth + 1);
  const head = `${JSON.stringify(btf.nameOf(id))}:`;
  return (bytes, at, text) => {
    text.string(head);
    write(bytes, at, text);
  };
}

function sectionWriter(btf: Btf, id: number, depth: number): Write {
  const variables = variablesOf(btf, id).map(({ typeId, offset }) => ({
    offset,
    write: writerOf(btf, typeId, depth + 1),
  }));
  const head = `{${JSON.stringify(btf.nameOf(id))}:[`;
  return (bytes, at, text) => {
    text.string(head);
    for (const [index, { offset, write }] of variables.entries()) {
      text.string(index === 0 ? '{' : ',{');
      write(bytes, at + offset, text);
      text.byte(0x7d);
    }
    text.string(']}');
  };
}
