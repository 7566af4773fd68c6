import { badBtf } from '../bad-btf.ts';
import type { Btf } from '../btf.ts';
import { arrayOf, enumeratorsOf, type IntType, intOf, memberOf } from '../details.ts';
import { btfLimits } from '../limits.ts';
import { arrayCodec } from './array.ts';
import { charArrayCodec } from './char-array.ts';
import type { Codec } from './codec.ts';
import { dataSectionCodec } from './data-section.ts';
import { enumCodec } from './enumeration.ts';
import { floatCodec } from './float.ts';
import { buildGroup } from './group.ts';
import { boolCodec, numberCodec } from './integer.ts';
import { kernelOwned, kernelOwnedCodec } from './kernel-owned.ts';
import { objectCodec } from './object.ts';
import { pointerCodec } from './pointer.ts';

/** Bits of a type that are not all of it: a bit field. */
export interface BitField {
  /** From the first bit of the byte it begins in. */
  readonly offset: number;
  readonly width: number;
}

/**
 * Makes codecs for the types of one BTF, each type once however often it is used.
 *
 * `steps` counts types and members looked at. It is bounded by the BTF and the value together, because
 * hostile BTF can say in a kilobyte what would take a year to walk.
 */
export class Compiler {
  readonly btf: Btf;
  steps = 0;
  readonly #stepsMax: number;
  readonly #made = new Map<string, Codec>();
  readonly #inWork = new Set<number>();
  readonly #flexible = new Map<number, boolean>();

  constructor(btf: Btf, valueSize: number) {
    this.btf = btf;
    this.#stepsMax = 4 * btf.wordCount + btfLimits.valuesPerByte * valueSize + btfLimits.valuesAtLeast;
  }

  /** To be called for every type and member that is looked at. @throws PinfoldError invalid_input */
  step(typeId: number): void {
    this.steps++;
    if (this.steps > this.#stepsMax) throw badBtf('types that grow without end', { type_id: typeId });
  }

  /**
   * The codec of a type, for a place of `room` bytes if that is more than the type has: then it must end with
   * a flexible array. @throws PinfoldError invalid_input
   */
  codecOf(typeId: number, room?: number): Codec {
    this.step(typeId);
    const id = this.btf.resolve(typeId);
    const size = this.btf.sizeOf(id);
    if (size === undefined) throw badBtf(`${this.btf.kindOf(id)} has no values`, { type_id: typeId });
    const key = `${id}:${room ?? size}`;
    const made = this.#made.get(key);
    if (made !== undefined) return made;
    if (this.#inWork.has(id)) throw badBtf('it contains itself', { type_id: typeId });
    if (this.#inWork.size > btfLimits.depthMax) throw badBtf('nested too deeply', { type_id: typeId });
    this.#inWork.add(id);
    const codec = this.#bounded(this.#make(id, room ?? size, size), id);
    this.#inWork.delete(id);
    this.#made.set(key, codec);
    return codec;
  }

  /** The codec of a bit field of a type. @throws PinfoldError invalid_input where it can have none */
  bitFieldOf(typeId: number, { offset, width }: BitField): Codec {
    this.step(typeId);
    const id = this.btf.resolve(typeId);
    const kind = this.btf.kindOf(id);
    if (kind === 'int') {
      const int = intOf(this.btf, id);
      if (width > int.size * 8) throw badBtf('a bit field wider than its type', { type_id: typeId });
      return this.#integer({ ...int, bits: width, bitOffset: offset }, 0);
    }
    if (kind === 'enum' || kind === 'enum64') return this.#enumeration(id, { offset, width });
    throw badBtf(`a bit field of ${kind}`, { type_id: typeId });
  }

  /** The name of a member, variable or enumerator. @throws PinfoldError invalid_input for one too long */
  nameWithin(name: string, typeId: number): string {
    if (name.length > btfLimits.nameBytesMax) throw badBtf('a name is too long', { type_id: typeId });
    return name;
  }

  /** Whether a type ends with an array that takes whatever room is left. */
  isFlexible(typeId: number, depth = 0): boolean {
    if (depth > btfLimits.depthMax) throw badBtf('nested too deeply', { type_id: typeId });
    const id = this.btf.resolve(typeId);
    const known = this.#flexible.get(id);
    if (known !== undefined) return known;
    this.#flexible.set(id, false);
    const isFlexible = this.#endsFlexible(id, depth);
    this.#flexible.set(id, isFlexible);
    return isFlexible;
  }

  #endsFlexible(id: number, depth: number): boolean {
    const kind = this.btf.kindOf(id);
    if (kind === 'array') return arrayOf(this.btf, id).length === 0;
    if (kind !== 'struct' && kind !== 'union') return false;
    const count = this.btf.entriesOf(id);
    for (let index = kind === 'struct' ? Math.max(count - 1, 0) : 0; index < count; index++) {
      this.step(id);
      const { typeId, bitSize } = memberOf(this.btf, id, index);
      if (bitSize === 0 && this.isFlexible(typeId, depth + 1)) return true;
    }
    return false;
  }

  #make(id: number, room: number, size: number): Codec {
    const kind = this.btf.kindOf(id);
    const owned = kernelOwned(this.btf, id);
    if (owned !== undefined) return kernelOwnedCodec(owned, size);
    if (kind === 'datasec') return dataSectionCodec(this, id, room);
    if (room < size || (room > size && !this.isFlexible(id))) {
      throw badBtf(`a value of ${room} bytes cannot have a type of ${size}`, { type_id: id });
    }
    switch (kind) {
      case 'int':
        return this.#integer(intOf(this.btf, id), size);
      case 'enum':
      case 'enum64':
        return this.#enumeration(id);
      case 'ptr':
        return pointerCodec;
      case 'float':
        return floatCodec(this.#floatSize(id, size));
      case 'array':
        return this.#array(id, room);
      case 'struct':
      case 'union':
        return objectCodec(buildGroup(this, id, room), room);
      default:
        throw badBtf(`${kind} has no values`, { type_id: id });
    }
  }

  #integer(int: IntType, size: number): Codec {
    const place = {
      offset: int.bitOffset,
      width: int.bits,
      isSigned: int.encoding === 'signed',
      size,
      isText: int.size > 4,
    };
    return int.encoding === 'bool' && int.bits <= 32 ? boolCodec(place) : numberCodec(place);
  }

  #enumeration(id: number, field?: BitField): Codec {
    const size = this.btf.word(id, 2);
    const width = field?.width ?? size * 8;
    if (![1, 2, 4, 8].includes(size) || width > size * 8) {
      throw badBtf(`an enumeration of ${size} bytes, ${width} bits`, { type_id: id });
    }
    const place = {
      offset: field?.offset ?? 0,
      width,
      isSigned: this.btf.hasFlag(id),
      size: field === undefined ? size : 0,
      isText: size > 4,
    };
    const enumerators = enumeratorsOf(this.btf, id);
    for (const { name } of enumerators) {
      this.step(id);
      this.nameWithin(name, id);
    }
    return enumCodec(place, enumerators);
  }

  #floatSize(id: number, size: number): number {
    if (![2, 4, 8, 12, 16].includes(size)) throw badBtf(`a float of ${size} bytes`, { type_id: id });
    return size;
  }

  #array(id: number, room: number): Codec {
    const { elementId, length } = arrayOf(this.btf, id);
    const size = this.btf.sizeOf(elementId) ?? 0;
    const count = length > 0 || size === 0 ? length : Math.floor(room / size);
    if (this.#isChar(elementId)) return charArrayCodec(count);
    return arrayCodec(this.codecOf(elementId), count);
  }

  /** `char` itself, not `signed char` or `unsigned char`, which are numbers. */
  #isChar(typeId: number): boolean {
    const id = this.btf.resolve(typeId);
    if (this.btf.kindOf(id) !== 'int') return false;
    const { bits, encoding } = intOf(this.btf, id);
    return bits === 8 && this.btf.sizeOf(id) === 1 && (encoding === 'char' || this.btf.nameOf(id) === 'char');
  }

  #bounded(codec: Codec, id: number): Codec {
    const most = btfLimits.valuesPerByte * codec.size + btfLimits.valuesAtLeast;
    if (codec.work > most) {
      throw badBtf(`${codec.work} values in ${codec.size} bytes are too many`, { type_id: id });
    }
    return codec;
  }
}
