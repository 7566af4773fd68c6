import type { Btf } from '../btf.ts';

/** C has two name spaces that matter here: tags (struct, union, enum) and everything else. */
type Space = 'tags' | 'identifiers';

/**
 * The names types get in C. BTF may hold several types of one name (different files, different programs);
 * the second to be printed is called `name___2`, as libbpf does it, which CO-RE takes for the same type.
 */
export class CNames {
  readonly #btf: Btf;
  readonly #resolved = new Map<number, string>();
  readonly #used: Record<Space, Map<string, number>> = { tags: new Map(), identifiers: new Map() };

  constructor(btf: Btf) {
    this.#btf = btf;
  }

  /** The name of a structure, union or enumeration; empty for an anonymous one. */
  tag(id: number): string {
    return this.#nameOf(id, 'tags');
  }

  /** The name of a typedef. */
  typedef(id: number): string {
    return this.#nameOf(id, 'identifiers');
  }

  /** The name of an enumerator, each time one is printed. */
  enumerator(name: string): string {
    return this.#unique(cName(name), 'identifiers');
  }

  #nameOf(id: number, space: Space): string {
    const known = this.#resolved.get(id);
    if (known !== undefined) return known;
    const name = cName(this.#btf.nameOf(id));
    const unique = name === '' || this.#isOnlyDeclared(id) ? name : this.#unique(name, space);
    this.#resolved.set(id, unique);
    return unique;
  }

  /** A declaration without a definition stands for whatever has that name. */
  #isOnlyDeclared(id: number): boolean {
    const kind = this.#btf.kindOf(id);
    return kind === 'fwd' || (kind === 'enum' && this.#btf.entriesOf(id) === 0);
  }

  #unique(name: string, space: Space): string {
    const times = (this.#used[space].get(name) ?? 0) + 1;
    this.#used[space].set(name, times);
    return times === 1 ? name : `${name}___${times}`;
  }
}

/** What C allows in a name, integer types of several words included; the rest becomes an underscore. */
export function cName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_$ ]/g, '_');
}
