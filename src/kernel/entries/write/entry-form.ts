import { isPinfoldError, PinfoldError } from '../../../model/error.ts';
import type { EntryChoice, EntryFormat, View } from '../../../model/schema/entry.ts';
import type { MapInfo } from '../../../model/schema/map-info.ts';
import type { Btf } from '../../btf/btf.ts';
import { compileCodec } from '../../btf/codec/compile.ts';
import type { LineCode } from '../../json-code/line-writer.ts';
import type { MapShape } from '../map-shape.ts';
import { typeIdsOf } from '../type-ids.ts';
import { bpftoolValue } from './bpftool.ts';
import { writeCpus } from './cpus.ts';
import { hexListPart, hexPart } from './hex.ts';
import { lineCodeOf } from './line-code.ts';
import { meaningWrite, prefixPart } from './natural.ts';
import { paddedKey } from './padded-key.ts';
import type { EntryWrite, Part, Write } from './part.ts';
import { codecPart, integerCodec, viewPart } from './view.ts';

/** How the entries of one map are written. */
export interface EntryForm {
  readonly format: EntryFormat;
  /** Bytes the text of one entry about takes, so that buffers can be made large enough at once. */
  readonly textBytes: number;
  readonly writeKey: Write;
  /** A value of one CPU, or the only one. */
  readonly writeValue: Write;
  /** The whole entry: `{"key":…,"value":…}`. */
  readonly writeEntry: EntryWrite;
  /** Makes code that writes the same, one entry a line; undefined where only `writeEntry` can. */
  readonly lineCode: () => LineCode | undefined;
  /** The bytes of a key as this form writes it. @throws PinfoldError invalid_input */
  readonly parseKey: Part['parse'];
  /**
   * The same for a value of one CPU, or the only one; absent for what stands for an object or a socket.
   */
  readonly parseValue?: Part['parse'];
}

/** Finds the types of a map when they are needed. */
export type BtfFinder = (info: MapInfo) => Btf | undefined;

/**
 * Compiles how entries are written, once for all of them.
 *
 * Without a format it is `typed` where there is a type, a view or a meaning of the kernel's, else `raw`.
 * @throws PinfoldError invalid_input for a view that does not fit, not_readable where the BTF makes no sense
 */
export function entryForm(shape: MapShape, choice: EntryChoice, findBtf: BtfFinder): EntryForm {
  const format = choice.format ?? usualFormat(shape, choice);
  const hasViews = choice.keyAs !== undefined || choice.valueAs !== undefined;
  if (format !== 'typed' && hasViews) {
    const given = choice.keyAs !== undefined ? 'key_as' : 'value_as';
    throw new PinfoldError('invalid_input', {
      detail: `key_as and value_as do not go with format=${format}.`,
      errors: [{ pointer: `/query/${given}`, detail: `does not go with format=${format}` }],
    });
  }
  const valueSize = shape.cpuStride === undefined ? shape.wireSize : shape.info.value_size;
  switch (format) {
    case 'raw':
      return assembled(shape, format, { key: hexPart(shape.keySize), value: hexPart(valueSize) });
    case 'bpftool': {
      const key = hexListPart(shape.keySize);
      const formatted = bpftoolValue(shape, findBtf);
      return assembled(shape, format, { key, value: hexListPart(valueSize), tail: formatted });
    }
    case 'typed':
      return assembled(shape, format, typedParts(shape, choice, { findBtf, valueSize }));
  }
}

function usualFormat({ info, meaning }: MapShape, { keyAs, valueAs }: EntryChoice): EntryFormat {
  const hasMeaning = meaning !== undefined || info.type === 'lpm_trie' || typeIdsOf(info).value !== undefined;
  return keyAs !== undefined || valueAs !== undefined || hasMeaning ? 'typed' : 'raw';
}

/** What an entry is put together from. */
interface Pieces {
  readonly key: Part;
  readonly value: Pick<Part, 'write'> & Partial<Part>;
  /** Members behind the value. */
  readonly tail?: EntryWrite | undefined;
}

function typedParts(
  shape: MapShape,
  choice: EntryChoice,
  { findBtf, valueSize }: { readonly findBtf: BtfFinder; readonly valueSize: number },
): Pieces {
  const { info, meaning, keySize } = shape;
  const types = typeIdsOf(info);
  const codec = (typeId: number | undefined, size: number, role?: 'key'): Part | undefined =>
    typeId === undefined ? undefined : codecOf(shape, findBtf, { typeId, size, role });
  const view = (as: View | undefined, size: number, name: string): Part | undefined =>
    as === undefined ? undefined : viewPart(as, size, `/query/${name}`);
  const key = view(choice.keyAs, keySize, 'key_as') ?? naturalKey(shape) ?? codec(types.key, keySize, 'key');
  const value =
    view(choice.valueAs, valueSize, 'value_as') ??
    (meaning === undefined
      ? codec(types.value, valueSize)
      : { write: meaningWrite(meaning, shape.wireSize) });
  const indexKey = shape.hasIndexKeys === true ? codecPart(integerCodec(4, false)) : hexPart(keySize);
  return { key: key ?? indexKey, value: value ?? hexPart(valueSize) };
}

/** A trie's key is a prefix, unless BTF says something of one that is no address. */
function naturalKey({ info, keySize }: MapShape): Part | undefined {
  if (info.type !== 'lpm_trie') return undefined;
  const isAddress = keySize === 8 || keySize === 20;
  return isAddress || info.btf_key_type_id === undefined ? prefixPart(keySize) : undefined;
}

function codecOf(
  { info }: MapShape,
  findBtf: BtfFinder,
  {
    typeId,
    size,
    role,
  }: { readonly typeId: number; readonly size: number; readonly role: 'key' | undefined },
): Part | undefined {
  try {
    const btf = findBtf(info);
    if (btf === undefined) return undefined;
    const codec = compileCodec(btf, typeId, size);
    const part: Part = {
      write: (bytes, at, text) => codec.writeJson(bytes, at, text),
      emit: codec.emit,
      parse: (value) => codec.encode(value),
    };
    return role === 'key' ? paddedKey(part, codec.mask()) : part;
  } catch (error) {
    if (!isPinfoldError(error, 'invalid_input')) throw error;
    const detail = `The types of map ${info.id} make no sense (${error.message}); ask for format=raw.`;
    throw new PinfoldError('not_readable', { detail, kind: 'map', id: info.id, map_type: info.type }, error);
  }
}

const keyHead = Buffer.from('{"key":');
const valueHead = Buffer.from(',"value":');
const valuesHead = Buffer.from(',"values":[');

function assembled(shape: MapShape, format: EntryFormat, pieces: Pieces): EntryForm {
  const { key, tail } = pieces;
  const { write: value, parse: parseValue } = pieces.value;
  const writeKey = key.write;
  const { cpuStride, cpus } = shape;
  const writeEntry: EntryWrite = (place, text) => {
    const { keys, keyAt, values, valueAt } = place;
    text.raw(keyHead);
    writeKey(keys, keyAt, text);
    if (cpuStride === undefined) {
      text.raw(valueHead);
      value(values, valueAt, text);
    } else {
      text.raw(valuesHead);
      writeCpus({ value, cpuStride, cpus }, values, valueAt, text);
    }
    tail?.(place, text);
    text.byte(0x7d);
  };
  const textBytes = 128 + 8 * (shape.keySize + shape.wireSize);
  return {
    format,
    textBytes,
    writeKey,
    writeValue: value,
    writeEntry,
    lineCode: () =>
      tail === undefined ? lineCodeOf(shape, { key: key.emit, value: pieces.value.emit }) : undefined,
    parseKey: key.parse,
    ...(parseValue === undefined ? {} : { parseValue }),
  };
}
