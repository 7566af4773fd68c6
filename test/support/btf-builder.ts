/** What a member, parameter or variable refers to, as the builder takes it. */
export interface MemberSpec {
  readonly name?: string;
  readonly type: number;
  /** In bits. */
  readonly at: number;
  /** Width of a bit field; makes the structure one with `kind_flag`. */
  readonly bits?: number;
}

/** Where a builder goes on: how many types and bytes of names the base has. */
interface BuilderBase {
  readonly types: number;
  readonly strings: number;
}

/** Numbers of include/uapi/linux/btf.h, written down once more: the code under test has its own. */
const kind = {
  int: 1,
  ptr: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  fwd: 7,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  func: 12,
  funcProto: 13,
  var: 14,
  datasec: 15,
  float: 16,
  declTag: 17,
  typeTag: 18,
  enum64: 19,
} as const;

/**
 * Lays out BTF by hand. Every method adds one type and gives its id; what it is given is written as it is,
 * so that BTF no compiler would make can be made, too.
 */
export class BtfBuilder {
  readonly #base: BuilderBase;
  readonly #words: number[] = [];
  readonly #offsets = new Map<string, number>();
  #strings = '';
  #count = 0;

  constructor(base: BuilderBase = { types: 0, strings: 0 }) {
    this.#base = base;
    if (base.strings === 0) this.#offsets.set('', this.#add(''));
    else this.#offsets.set('', 0);
  }

  /** What BTF that is split from this one goes on from. */
  get end(): BuilderBase {
    return {
      types: this.#base.types + this.#count,
      strings: this.#base.strings + Buffer.byteLength(this.#strings),
    };
  }

  int(
    name: string,
    size: number,
    encoding: 'signed' | 'char' | 'bool' | 'none' = 'none',
    bits = size * 8,
  ): number {
    const number = { none: 0, signed: 1, char: 2, bool: 4 }[encoding];
    return this.type({ name, kind: kind.int, third: size, rest: [(number << 24) | bits] });
  }

  ptr(type: number): number {
    return this.type({ kind: kind.ptr, third: type });
  }

  array(element: number, length: number, index = element): number {
    return this.type({ kind: kind.array, rest: [element, index, length] });
  }

  struct(name: string, size: number, members: readonly MemberSpec[]): number {
    return this.#composite(kind.struct, name, size, members);
  }

  union(name: string, size: number, members: readonly MemberSpec[]): number {
    return this.#composite(kind.union, name, size, members);
  }

  enum(name: string, size: number, values: Readonly<Record<string, number>>, isSigned = false): number {
    const entries = Object.entries(values);
    const rest = entries.flatMap(([each, value]) => [this.#string(each), value]);
    return this.type({ name, kind: kind.enum, third: size, count: entries.length, flag: isSigned, rest });
  }

  enum64(name: string, size: number, values: Readonly<Record<string, bigint>>, isSigned = false): number {
    const entries = Object.entries(values);
    const rest = entries.flatMap(([each, value]) => {
      const bits = BigInt.asUintN(64, value);
      return [this.#string(each), Number(bits & 0xffff_ffffn), Number(bits >> 32n)];
    });
    return this.type({ name, kind: kind.enum64, third: size, count: entries.length, flag: isSigned, rest });
  }

  fwd(name: string, isUnion = false): number {
    return this.type({ name, kind: kind.fwd, flag: isUnion });
  }

  typedef(name: string, type: number): number {
    return this.type({ name, kind: kind.typedef, third: type });
  }

  qualifier(which: 'const' | 'volatile' | 'restrict', type: number): number {
    return this.type({ kind: kind[which], third: type });
  }

  typeTag(name: string, type: number): number {
    return this.type({ name, kind: kind.typeTag, third: type });
  }

  declTag(name: string, type: number, component = -1): number {
    return this.type({ name, kind: kind.declTag, third: type, rest: [component] });
  }

  func(name: string, proto: number, linkage = 1): number {
    return this.type({ name, kind: kind.func, third: proto, count: linkage });
  }

  proto(returns: number, parameters: readonly { readonly name?: string; readonly type: number }[]): number {
    const rest = parameters.flatMap(({ name, type }) => [this.#string(name ?? ''), type]);
    return this.type({ kind: kind.funcProto, third: returns, count: parameters.length, rest });
  }

  variable(name: string, type: number, linkage = 1): number {
    return this.type({ name, kind: kind.var, third: type, rest: [linkage] });
  }

  datasec(name: string, size: number, variables: readonly (readonly [number, number, number])[]): number {
    return this.type({
      name,
      kind: kind.datasec,
      third: size,
      count: variables.length,
      rest: variables.flat(),
    });
  }

  float(name: string, size: number): number {
    return this.type({ name, kind: kind.float, third: size });
  }

  /** Any record at all. */
  type(record: {
    readonly name?: string;
    readonly kind: number;
    readonly third?: number;
    readonly count?: number;
    readonly flag?: boolean;
    readonly rest?: readonly number[];
  }): number {
    const info = (record.flag === true ? 2 ** 31 : 0) + record.kind * 2 ** 24 + (record.count ?? 0);
    this.#words.push(this.#string(record.name ?? ''), info, record.third ?? 0, ...(record.rest ?? []));
    this.#count++;
    return this.#base.types + this.#count;
  }

  /** The blob: header, types, names. */
  build(): Buffer {
    const types = Buffer.alloc(this.#words.length * 4);
    this.#words.forEach((word, index) => void types.writeUInt32LE(word >>> 0, index * 4));
    const strings = Buffer.from(this.#strings);
    const header = Buffer.alloc(24);
    header.writeUInt16LE(0xeb9f, 0);
    header.writeUInt8(1, 2);
    [24, 0, types.length, types.length, strings.length].forEach(
      (word, index) => void header.writeUInt32LE(word, 4 + index * 4),
    );
    return Buffer.concat([header, types, strings]);
  }

  #composite(number: number, name: string, size: number, members: readonly MemberSpec[]): number {
    const flag = members.some(({ bits }) => bits !== undefined);
    const rest = members.flatMap((member) => [
      this.#string(member.name ?? ''),
      member.type,
      flag ? ((member.bits ?? 0) << 24) | member.at : member.at,
    ]);
    return this.type({ name, kind: number, third: size, count: members.length, flag, rest });
  }

  #string(text: string): number {
    const known = this.#offsets.get(text);
    if (known !== undefined) return known;
    const offset = this.#add(text);
    this.#offsets.set(text, offset);
    return offset;
  }

  #add(text: string): number {
    const offset = this.#base.strings + Buffer.byteLength(this.#strings);
    this.#strings += `${text}\0`;
    return offset;
  }
}
