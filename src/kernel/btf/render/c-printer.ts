import { badBtf } from '../bad-btf.ts';
import type { Btf } from '../btf.ts';
import { arrayOf, enumeratorsOf, type Member, membersOf, parametersOf, targetOf } from '../details.ts';
import { btfLimits } from '../limits.ts';
import type { Budget } from './budget.ts';
import { CLayout, roundUp } from './c-layout.ts';
import { CNames, cName } from './c-names.ts';

/** GCC's attribute for an enumeration that is not as wide as an `int`. */
const enumModes: ReadonlyMap<number, string> = new Map([
  [1, ' __attribute__((mode(byte)))'],
  [2, ' __attribute__((mode(HI)))'],
  [8, ' __attribute__((mode(DI)))'],
]);

/** Writes declarations and definitions of single types in C. Their order is `c-source.ts`'s business. */
export class CPrinter {
  readonly names: CNames;
  readonly #btf: Btf;
  readonly #budget: Budget;
  readonly #layout: CLayout;

  constructor(btf: Btf, budget: Budget) {
    this.#btf = btf;
    this.#budget = budget;
    this.names = new CNames(btf);
    this.#layout = new CLayout(btf, budget);
  }

  /**
   * A declaration: `const char *name[16]`, or the type alone where `name` is empty.
   *
   * C writes what a thing is around its name, so the text grows outwards: pointers to its left, arrays and
   * functions to its right, and the type that is left at last in front.
   */
  declare(typeId: number, name: string, indent = 0): string {
    let id = typeId;
    let inner = cName(name);
    let qualifiers: string[] = [];
    let tags = '';
    for (let depth = 0; depth <= btfLimits.depthMax; depth++) {
      this.#budget.step();
      const kind = this.#btf.kindOf(id);
      switch (kind) {
        case 'const':
        case 'volatile':
        case 'restrict':
          qualifiers = [kind, ...qualifiers];
          id = targetOf(this.#btf, id);
          break;
        case 'type_tag':
          tags = ` __attribute__((btf_type_tag("${tagText(this.#btf.nameOf(id))}")))${tags}`;
          id = targetOf(this.#btf, id);
          break;
        case 'ptr':
          inner = `*${joined([tags.trim(), ...qualifiers, inner])}`;
          qualifiers = [];
          tags = '';
          id = targetOf(this.#btf, id);
          break;
        // Qualifiers of an array or function are those of its elements or a quirk of GCC: left out.
        case 'array':
          inner = `${parenthesized(inner)}[${arrayOf(this.#btf, id).length}]`;
          qualifiers = [];
          id = arrayOf(this.#btf, id).elementId;
          break;
        case 'func_proto':
          inner = `${parenthesized(inner)}(${this.#parameters(id, indent)})`;
          qualifiers = [];
          id = targetOf(this.#btf, id);
          break;
        default:
          return joined([...qualifiers, `${this.#base(id, indent)}${tags}`, inner]);
      }
    }
    throw badBtf('wrapped too often', { type_id: typeId });
  }

  /** `struct name`, which is also how it is declared without being defined. */
  tagged(id: number): string {
    const kind = this.#btf.kindOf(id);
    const word = kind === 'fwd' ? (this.#btf.hasFlag(id) ? 'union' : 'struct') : kind.replace('64', '');
    return joined([word, this.names.tag(id)]);
  }

  /** A structure or union with its members. */
  composite(id: number, indent = 0): string {
    const btf = this.#btf;
    const isPacked = this.#layout.isPacked(id);
    const size = (btf.sizeOf(id) ?? 0) * 8;
    const isStruct = btf.kindOf(id) === 'struct';
    const lines: string[] = [];
    let end = 0;
    for (const member of membersOf(btf, id)) {
      if (isStruct) {
        lines.push(...this.#padding(end, member.bitOffset, this.#layout.naturalPlace(member, end, isPacked)));
      }
      lines.push(this.#member(member, indent + 1));
      end = member.bitOffset + (member.bitSize || (btf.sizeOf(member.typeId) ?? 0) * 8);
    }
    const align = isPacked ? 8 : this.#layout.alignOf(id) * 8;
    if (isStruct) lines.push(...this.#padding(end, size, roundUp(end, align)));
    const packed = isPacked ? ' __attribute__((packed))' : '';
    if (lines.length === 0) return `${this.tagged(id)} {}${packed}`;
    const tabs = '\t'.repeat(indent);
    return `${this.tagged(id)} {\n${lines.map((line) => `${tabs}\t${line}\n`).join('')}${tabs}}${packed}`;
  }

  /** An enumeration with its values. */
  enumeration(id: number, indent = 0): string {
    const enumerators = enumeratorsOf(this.#btf, id);
    const head = this.tagged(id);
    if (enumerators.length === 0) return head;
    const isWide = this.#btf.kindOf(id) === 'enum64';
    const isSigned = this.#btf.hasFlag(id);
    const tabs = '\t'.repeat(indent);
    const lines = enumerators.map(({ name, bits }) => {
      this.#budget.step();
      const value = isSigned ? BigInt.asIntN(isWide ? 64 : 32, bits) : bits;
      const suffix = isWide ? (isSigned ? 'LL' : 'ULL') : '';
      return `${tabs}\t${this.names.enumerator(name)} = ${value}${suffix},\n`;
    });
    const mode = isWide ? '' : (enumModes.get(this.#btf.word(id, 2)) ?? '');
    return `${head} {\n${lines.join('')}${tabs}}${mode}`;
  }

  /** `typedef int name`. */
  typedef(id: number): string {
    const target = targetOf(this.#btf, id);
    const name = this.names.typedef(id);
    // Old GCC does not say what this is of.
    if (target === 0 && name === '__gnuc_va_list') return 'typedef __builtin_va_list __gnuc_va_list';
    return `typedef ${this.declare(target, name)}`;
  }

  #member(member: Member, indent: number): string {
    const text = this.#budget.deeper(member.typeId, () => this.declare(member.typeId, member.name, indent));
    return member.bitSize === 0 ? `${text};` : `${text}: ${member.bitSize};`;
  }

  #padding(from: number, to: number, natural: number): string[] {
    return this.#layout.padding(from, to, natural).map(({ type, bits }) => `${type}: ${bits};`);
  }

  #parameters(id: number, indent: number): string {
    const parameters = parametersOf(this.#btf, id);
    if (parameters.length === 0 || (parameters.length === 1 && parameters[0]?.typeId === 0)) return 'void';
    return parameters
      .map(({ name, typeId }, index) => {
        if (typeId === 0 && index === parameters.length - 1) return '...';
        return this.#budget.deeper(typeId, () => this.declare(typeId, name, indent));
      })
      .join(', ');
  }

  #base(id: number, indent: number): string {
    switch (this.#btf.kindOf(id)) {
      case 'struct':
      case 'union':
        return this.names.tag(id) === '' ? this.composite(id, indent) : this.tagged(id);
      case 'enum':
      case 'enum64':
        return this.names.tag(id) === '' ? this.enumeration(id, indent) : this.tagged(id);
      case 'fwd':
        return this.tagged(id);
      case 'typedef':
        return this.names.typedef(id);
      default:
        return cName(this.#btf.nameOf(id));
    }
  }
}

function parenthesized(inner: string): string {
  return inner.startsWith('*') ? `(${inner})` : inner;
}

function joined(words: readonly string[]): string {
  return words.filter((word) => word !== '').join(' ');
}

function tagText(name: string): string {
  return name.replaceAll(/[^ -~]|["\\]/g, '_');
}
