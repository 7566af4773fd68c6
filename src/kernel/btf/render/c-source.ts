import { badBtf } from '../bad-btf.ts';
import type { Btf } from '../btf.ts';
import { arrayOf, membersOf, parametersOf, targetOf } from '../details.ts';
import { Budget } from './budget.ts';
import { CPrinter } from './c-printer.ts';
import { DefinitionOrder } from './definition-order.ts';

/** What CO-RE needs around the types: every access to a member is recorded, so that it can be relocated. */
const before = `#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif

`;

const after = `#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif

#endif /* __VMLINUX_H__ */
`;

/**
 * A whole BTF as a C header, as `bpftool btf dump format c` makes it: every definition behind those it needs,
 * with declarations where types point at each other. In pieces, one definition each.
 *
 * For split BTF it has the types of the split part and those of the base that they need.
 *
 * @throws PinfoldError invalid_input where the BTF is damaged or its types contain themselves
 */
export function* renderC(btf: Btf): Generator<string> {
  yield before;
  const source = new CSource(btf);
  for (let id = btf.firstId; id <= btf.typeCount; id++) yield* source.define(id);
  yield after;
}

/** The C definitions of some types and of all that they need, without anything around them. */
export function* renderTypes(btf: Btf, typeIds: readonly number[]): Generator<string> {
  const source = new CSource(btf);
  for (const id of typeIds) yield* source.define(id);
}

/** A type as one would write it in C: `const struct task_struct *`, `int[4]`; for sentences and tables. */
export function typeName(btf: Btf, typeId: number): string {
  return new CPrinter(btf, new Budget(btf)).declare(typeId, '');
}

/** A variable or member of that type as one declares it in C: `int counts[4]`. */
export function declaration(btf: Btf, typeId: number, name: string): string {
  return new CPrinter(btf, new Budget(btf)).declare(typeId, name);
}

/** How far the definition of a type is; a declaration may have been printed meanwhile. */
const state = { none: 0, inWork: 1, printed: 2 } as const;

/** One header as it grows. */
class CSource {
  readonly #btf: Btf;
  readonly #budget: Budget;
  readonly #printer: CPrinter;
  readonly #order: DefinitionOrder;
  readonly #states: Uint8Array;
  readonly #declared: Uint8Array;

  constructor(btf: Btf) {
    this.#btf = btf;
    this.#budget = new Budget(btf);
    this.#printer = new CPrinter(btf, this.#budget);
    this.#order = new DefinitionOrder(btf, this.#budget);
    this.#states = new Uint8Array(btf.typeCount + 1);
    this.#declared = new Uint8Array(btf.typeCount + 1);
  }

  /** Definitions of a type and of all that it needs and that were not printed before. */
  *define(id: number): Generator<string> {
    for (const each of this.#order.before(id)) {
      const out: string[] = [];
      this.#need(each, 0, out);
      if (out.length > 0) yield out.join('');
    }
  }

  /**
   * Prints what has to stand before a type can be mentioned in the definition of `container`; with no
   * container (0) its own definition.
   */
  #need(id: number, container: number, out: string[]): void {
    if (this.#states[id] === state.printed) return;
    this.#budget.deeper(id, () => {
      if (this.#states[id] === state.inWork) this.#declareAgain(id, container, out);
      else this.#needFresh(id, container, out);
    });
  }

  /** A type that is being defined further out is mentioned: a declaration has to do. */
  #declareAgain(id: number, container: number, out: string[]): void {
    const kind = this.#btf.kindOf(id);
    if (this.#declared[id] === 1 || (kind !== 'typedef' && id === container)) return;
    if (kind === 'typedef') this.#printTypedef(id, out);
    else if (this.#btf.isAnonymous(id)) throw badBtf('it contains itself', { type_id: id });
    else out.push(`${this.#printer.tagged(id)};\n\n`);
    this.#declared[id] = 1;
  }

  #needFresh(id: number, container: number, out: string[]): void {
    const btf = this.#btf;
    switch (btf.kindOf(id)) {
      case 'ptr':
      case 'const':
      case 'volatile':
      case 'restrict':
      case 'type_tag':
        this.#need(targetOf(btf, id), container, out);
        break;
      case 'array':
        this.#need(arrayOf(btf, id).elementId, container, out);
        break;
      case 'func_proto':
        this.#need(targetOf(btf, id), container, out);
        for (const { typeId } of parametersOf(btf, id)) this.#need(typeId, container, out);
        break;
      case 'enum':
      case 'enum64':
        if (container === 0) out.push(`${this.#printer.enumeration(id)};\n\n`);
        this.#states[id] = state.printed;
        break;
      case 'fwd':
        out.push(`${this.#printer.tagged(id)};\n\n`);
        this.#states[id] = state.printed;
        break;
      case 'typedef':
        this.#needTypedef(id, out);
        break;
      case 'struct':
      case 'union':
        this.#needComposite(id, container, out);
        break;
      default:
        this.#states[id] = state.printed;
    }
  }

  #needTypedef(id: number, out: string[]): void {
    this.#states[id] = state.inWork;
    this.#need(targetOf(this.#btf, id), id, out);
    if (this.#declared[id] === 0) this.#printTypedef(id, out);
    this.#states[id] = state.printed;
  }

  #printTypedef(id: number, out: string[]): void {
    // Compilers have this one built in, and refuse to be told.
    if (this.#btf.nameOf(id) !== '__builtin_va_list') out.push(`${this.#printer.typedef(id)};\n\n`);
  }

  #needComposite(id: number, container: number, out: string[]): void {
    const isAnonymous = this.#btf.isAnonymous(id);
    this.#states[id] = state.inWork;
    if (container === 0 || isAnonymous) {
      for (const { typeId } of membersOf(this.#btf, id))
        this.#need(typeId, isAnonymous ? container : id, out);
    } else if (this.#declared[id] === 0 && id !== container) {
      out.push(`${this.#printer.tagged(id)};\n\n`);
      this.#declared[id] = 1;
    }
    if (container === 0) out.push(`${this.#printer.composite(id)};\n\n`);
    this.#states[id] = container === 0 ? state.printed : state.none;
  }
}
