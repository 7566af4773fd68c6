import type { Btf } from '../btf.ts';
import { arrayOf, type Member, membersOf } from '../details.ts';
import type { Budget } from './budget.ts';

/** A gap in a structure, as an unnamed bit field: `long: 64;`. */
interface Padding {
  readonly type: 'long' | 'int' | 'short' | 'char';
  readonly bits: number;
}

const paddingTypes = [
  { type: 'long', bits: 64 },
  { type: 'int', bits: 32 },
  { type: 'short', bits: 16 },
  { type: 'char', bits: 8 },
] as const;

/** How a compiler for a 64-bit machine lays types out, so that what is printed gets the offsets BTF says. */
export class CLayout {
  readonly #btf: Btf;
  readonly #budget: Budget;
  readonly #aligns = new Map<number, number>();

  constructor(btf: Btf, budget: Budget) {
    this.#btf = btf;
    this.#budget = budget;
  }

  /** Bytes a type is aligned to; 1 where it does not matter, and for packed structures. */
  alignOf(typeId: number): number {
    const id = this.#btf.resolve(typeId);
    const known = this.#aligns.get(id);
    if (known !== undefined) return known;
    const align = this.#budget.deeper(id, () => this.#computeAlign(id));
    this.#aligns.set(id, align);
    return align;
  }

  /** Whether only `__attribute__((packed))` puts the members of a structure where they are. */
  isPacked(id: number): boolean {
    const natural = this.#naturalAlign(id);
    if ((this.#btf.sizeOf(id) ?? 0) % natural !== 0) return true;
    return membersOf(this.#btf, id).some((member) => this.#isMisplaced(member));
  }

  /** The unnamed bit fields that bring a compiler from bit `from` to `to`, if it does not go there itself. */
  padding(from: number, to: number, natural: number): Padding[] {
    if (from >= to || natural === to) return [];
    const paddings: Padding[] = [];
    for (let at = from; at < to; ) {
      this.#budget.step();
      const position = at;
      const whole = paddingTypes.find(({ bits }) => position % bits === 0 && position + bits <= to);
      const bits = whole?.bits ?? Math.min(8 - (at % 8), to - at);
      paddings.push({ type: whole?.type ?? 'char', bits });
      at += bits;
    }
    return paddings;
  }

  /** Where a compiler would put a member by itself, if the one before ends at `from` (bits). */
  naturalPlace(member: Member, from: number, isPacked: boolean): number {
    if (member.bitSize === 0) return roundUp(from, isPacked ? 8 : this.alignOf(member.typeId) * 8);
    const unit = (this.#btf.sizeOf(member.typeId) ?? 1) * 8;
    const crosses = Math.floor(from / unit) !== Math.floor((from + member.bitSize - 1) / unit);
    return crosses && !isPacked ? roundUp(from, unit) : from;
  }

  #computeAlign(id: number): number {
    const kind = this.#btf.kindOf(id);
    if (kind === 'array') return this.alignOf(arrayOf(this.#btf, id).elementId);
    if (kind === 'struct' || kind === 'union') return this.isPacked(id) ? 1 : this.#naturalAlign(id);
    const size = this.#btf.sizeOf(id) ?? 1;
    return kind === 'int' || kind === 'float' || size <= 8 ? Math.min(Math.max(size, 1), 16) : 8;
  }

  #naturalAlign(id: number): number {
    return membersOf(this.#btf, id).reduce((most, { typeId }) => Math.max(most, this.alignOf(typeId)), 1);
  }

  #isMisplaced(member: Member): boolean {
    this.#budget.step();
    if (member.bitSize === 0) return member.bitOffset % (this.alignOf(member.typeId) * 8) !== 0;
    const unit = (this.#btf.sizeOf(member.typeId) ?? 1) * 8;
    const last = member.bitOffset + member.bitSize - 1;
    return Math.floor(member.bitOffset / unit) !== Math.floor(last / unit);
  }
}

/** The next multiple of `unit`. */
export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
