import type { Btf } from '../btf/btf.ts';
import { arrayOf, parametersOf, targetOf } from '../btf/details.ts';

/** Types within types that a signature follows; the kernel's own limit is 32 too. */
const depthMax = 32;

/** Characters after which a signature is cut, as bpftool cuts them. It also bounds the work. */
const charsMax = 1023;

/**
 * A function or type as bpftool heads the functions of a program with it:
 * `int pf_tail(struct xdp_md * ctx)`. Pointers are written in the order of the BTF, not of C.
 *
 * BTF comes from whoever loaded the program: types that go round in circles, or that no C has, end the text.
 */
export function signatureOf(btf: Btf, id: number): string {
  const signature = new Signature(btf);
  signature.type(id, 0);
  return signature.text.slice(0, charsMax).trimEnd();
}

/** Text that grows type by type; every word ends with a space, so that what follows needs none. */
class Signature {
  readonly #btf: Btf;
  text = '';

  constructor(btf: Btf) {
    this.#btf = btf;
  }

  type(id: number, depth: number): void {
    const btf = this.#btf;
    if (depth > depthMax || this.text.length >= charsMax) return;
    const kind = btf.kindOf(id);
    switch (kind) {
      case 'void':
      case 'int':
      case 'typedef':
      case 'float':
        this.text += `${btf.nameOf(id)} `;
        return;
      case 'struct':
      case 'union':
        this.text += `${kind} ${btf.nameOf(id)} `;
        return;
      case 'enum':
      case 'enum64':
        this.text += `enum ${btf.nameOf(id)} `;
        return;
      case 'fwd':
        this.text += `${btf.hasFlag(id) ? 'union' : 'struct'} ${btf.nameOf(id)} `;
        return;
      case 'func':
        this.#prototype(targetOf(btf, id), btf.nameOf(id), depth + 1);
        return;
      case 'func_proto':
        this.#prototype(id, '', depth + 1);
        return;
      default:
        this.#derived(id, depth + 1);
    }
  }

  /** What is made of one other type. */
  #derived(id: number, depth: number): void {
    const btf = this.#btf;
    const kind = btf.kindOf(id);
    switch (kind) {
      case 'volatile':
      case 'const':
      case 'restrict':
        this.text += `${kind} `;
        this.type(targetOf(btf, id), depth);
        return;
      case 'ptr':
        this.type(targetOf(btf, id), depth);
        this.text += '* ';
        return;
      case 'array':
        this.type(arrayOf(btf, id).elementId, depth);
        this.text += `[${arrayOf(btf, id).length}]`;
        return;
      case 'type_tag':
        this.type(targetOf(btf, id), depth);
        return;
      default:
    }
  }

  #prototype(id: number, name: string, depth: number): void {
    if (this.#btf.kindOf(id) !== 'func_proto') return;
    this.type(targetOf(this.#btf, id), depth);
    this.text += `${name}(`;
    for (const [index, parameter] of parametersOf(this.#btf, id).entries()) {
      if (this.text.length >= charsMax) return;
      if (index > 0) this.text += ', ';
      if (parameter.typeId === 0) this.text += '...';
      else this.type(parameter.typeId, depth);
      this.text = parameter.name === '' ? this.text.trimEnd() : this.text + parameter.name;
    }
    this.text += ')';
  }
}
