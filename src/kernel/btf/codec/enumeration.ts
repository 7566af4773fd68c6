import type { Json } from '../../../model/json.ts';
import type { Emit } from '../../json-code/json-code.ts';
import type { Enumerator } from '../details.ts';
import { bigCell, type Cell, markBits, numberCell } from './cell.ts';
import type { Codec } from './codec.ts';
import { fitBig, fitNumber, type IntegerPlace } from './integer.ts';
import { Misfit, shown } from './misfit.ts';

/**
 * An enumeration: the name of the value, or the number where it has none (flags or'ed together, values of
 * newer kernels). Where two names mean one value, the first is shown and both are taken.
 *
 * Values are compared as bits: compilers before `kind_flag` do not say whether an enumeration has a sign.
 */
export function enumCodec(place: IntegerPlace, enumerators: readonly Enumerator[]): Codec {
  const asBits = { ...place, isSigned: false };
  const bitsOf = (bits: bigint): bigint => BigInt.asUintN(place.width, bits);
  if (place.isText) {
    return codecOf(place, enumerators, {
      cell: bigCell(asBits),
      nameless: bigCell(place),
      key: bitsOf,
      show: String,
      fit: fitBig(place),
    });
  }
  return codecOf(place, enumerators, {
    cell: numberCell(asBits),
    nameless: numberCell(place),
    key: (bits) => Number(bitsOf(bits)),
    show: (value) => value,
    fit: fitNumber(place),
  });
}

/** What differs between enumerations of up to 32 bits and wider ones. */
interface Numbers<T> {
  readonly cell: Cell<T>;
  /** The same place, with its sign. */
  readonly nameless: Cell<T>;
  readonly key: (bits: bigint) => T;
  readonly show: (value: T) => Json;
  readonly fit: (value: Json) => T;
}

function codecOf<T>(place: IntegerPlace, enumerators: readonly Enumerator[], numbers: Numbers<T>): Codec {
  const { cell, nameless, show, fit } = numbers;
  const { names, values } = tablesOf(enumerators, numbers.key);
  const texts = new Map([...names].map(([bits, name]) => [bits, Buffer.from(JSON.stringify(name))]));
  return {
    size: place.size,
    work: 1,
    decode: (bytes, at) => names.get(cell.get(bytes, at)) ?? show(nameless.get(bytes, at)),
    write: (bytes, at, text) => {
      const name = texts.get(cell.get(bytes, at));
      if (name === undefined) text.string(JSON.stringify(show(nameless.get(bytes, at))));
      else text.raw(name);
    },
    emit: place.isText ? undefined : emitNames(place, names),
    encode: (value, into, at) => {
      const named = typeof value === 'string' ? values.get(value) : undefined;
      if (named !== undefined) cell.put(into, at, named);
      else if (typeof value !== 'string' || /^-?\d/.test(value)) nameless.put(into, at, fit(value));
      else throw new Misfit(`${shown(value)} is not one of ${someOf([...values.keys()])}`);
    },
    mark: (mask, at) => markBits(place, mask, at),
  };
}

/** Names for a sentence: the first of them. */
function someOf(names: readonly string[]): string {
  const some = names
    .slice(0, 3)
    .map((name) => shown(name))
    .join(', ');
  return names.length > 3 ? `${some}, …` : some;
}

/** Code compares one after the other, so only as long as that is short. */
const comparedMax = 32;

function emitNames<T>(place: IntegerPlace, names: ReadonlyMap<T, string>): Emit | undefined {
  if (names.size > comparedMax) return undefined;
  const texts = new Map([...names].map(([bits, name]) => [Number(bits), JSON.stringify(name)]));
  return (json, at) => {
    const otherwise = (): void => json.decimal(place, at);
    json.choose({ bits: place, at, texts, otherwise });
  };
}

/** Name by value and value by name, of names that cannot be taken for a number. */
function tablesOf<T>(
  enumerators: readonly Enumerator[],
  key: (bits: bigint) => T,
): { readonly names: Map<T, string>; readonly values: Map<string, T> } {
  const names = new Map<T, string>();
  const values = new Map<string, T>();
  for (const { name, bits } of enumerators) {
    if (name === '' || /^-?\d/.test(name) || values.has(name)) continue;
    const value = key(bits);
    values.set(name, value);
    if (!names.has(value)) names.set(value, name);
  }
  return { names, values };
}
