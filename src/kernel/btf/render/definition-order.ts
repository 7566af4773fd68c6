import { badBtf } from '../bad-btf.ts';
import type { Btf } from '../btf.ts';
import { arrayOf, membersOf, parametersOf, targetOf } from '../details.ts';
import type { Budget } from './budget.ts';

const state = { none: 0, inWork: 1, done: 2 } as const;

/**
 * In which order definitions must stand in C: what a structure embeds comes before it. What it only points
 * at need not: a declaration will do, so pointers to named structures are not followed.
 */
export class DefinitionOrder {
  readonly #btf: Btf;
  readonly #budget: Budget;
  readonly #states: Uint8Array;
  readonly #mentioned: Uint8Array;
  #queue: number[] = [];

  constructor(btf: Btf, budget: Budget) {
    this.#btf = btf;
    this.#budget = budget;
    this.#states = new Uint8Array(btf.typeCount + 1);
    this.#mentioned = findMentioned(btf);
  }

  /** The definitions a type needs, itself last, without those that were given before. */
  before(id: number): readonly number[] {
    this.#queue = [];
    this.#visit(id, false);
    return this.#queue;
  }

  /** Whether the type, as it is mentioned, must be defined before: false where a declaration is enough. */
  #visit(id: number, isBehindPointer: boolean): boolean {
    if (this.#states[id] === state.done) return true;
    if (this.#states[id] === state.inWork) {
      const kind = this.#btf.kindOf(id);
      const isComposite = kind === 'struct' || kind === 'union';
      if (isComposite && isBehindPointer && !this.#btf.isAnonymous(id)) return false;
      throw badBtf('it contains itself', { type_id: id });
    }
    return this.#budget.deeper(id, () => this.#visitFresh(id, isBehindPointer));
  }

  #visitFresh(id: number, isBehindPointer: boolean): boolean {
    const btf = this.#btf;
    switch (btf.kindOf(id)) {
      case 'ptr': {
        const isStrong = this.#visit(targetOf(btf, id), true);
        this.#states[id] = state.done;
        return isStrong;
      }
      case 'array':
        return this.#visit(arrayOf(btf, id).elementId, false);
      case 'const':
      case 'volatile':
      case 'restrict':
      case 'type_tag':
        return this.#visit(targetOf(btf, id), isBehindPointer);
      case 'func_proto': {
        const ids = [targetOf(btf, id), ...parametersOf(btf, id).map(({ typeId }) => typeId)];
        return ids.map((each) => this.#visit(each, isBehindPointer)).some((isStrong) => isStrong);
      }
      case 'struct':
      case 'union':
        return this.#visitComposite(id, isBehindPointer);
      case 'enum':
      case 'enum64':
      case 'fwd':
        if (!btf.isAnonymous(id) || this.#mentioned[id] === 0) this.#queue.push(id);
        this.#states[id] = state.done;
        return true;
      case 'typedef': {
        const isStrong = this.#visit(targetOf(btf, id), isBehindPointer);
        if (isBehindPointer && !isStrong) return false;
        this.#queue.push(id);
        this.#states[id] = state.done;
        return true;
      }
      default:
        this.#states[id] = state.done;
        return false;
    }
  }

  #visitComposite(id: number, isBehindPointer: boolean): boolean {
    const isNamed = !this.#btf.isAnonymous(id);
    if (isBehindPointer && isNamed) return false;
    this.#states[id] = state.inWork;
    for (const { typeId } of membersOf(this.#btf, id)) this.#visit(typeId, false);
    if (isNamed) this.#queue.push(id);
    this.#states[id] = state.done;
    return true;
  }
}

/** Which types another one is made of: anonymous enumerations among them are printed there, not alone. */
function findMentioned(btf: Btf): Uint8Array {
  const mentioned = new Uint8Array(btf.typeCount + 1);
  for (let id = 1; id <= btf.typeCount; id++) {
    for (const each of mentionedBy(btf, id)) mentioned[each] = 1;
  }
  return mentioned;
}

function mentionedBy(btf: Btf, id: number): readonly number[] {
  switch (btf.kindOf(id)) {
    case 'struct':
    case 'union':
      return membersOf(btf, id).map(({ typeId }) => typeId);
    case 'func_proto':
      return [targetOf(btf, id), ...parametersOf(btf, id).map(({ typeId }) => typeId)];
    case 'array':
      return [arrayOf(btf, id).elementId];
    case 'ptr':
    case 'typedef':
    case 'const':
    case 'volatile':
    case 'restrict':
    case 'type_tag':
    case 'func':
    case 'var':
    case 'decl_tag':
      return [targetOf(btf, id)];
    default:
      return [];
  }
}
