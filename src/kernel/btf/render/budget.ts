import { badBtf } from '../bad-btf.ts';
import type { Btf } from '../btf.ts';
import { btfLimits } from '../limits.ts';

/**
 * What printing may take. Anonymous structures are printed wherever they are used, so that hostile BTF of a
 * kilobyte could ask for more text than there is disk; real BTF looks at each word of it a few times.
 */
export class Budget {
  /** Types and members looked at so far. */
  steps = 0;
  readonly #stepsMax: number;
  #depth = 0;

  constructor(btf: Btf) {
    this.#stepsMax = btfLimits.stepsPerWord * btf.wordCount + btfLimits.valuesAtLeast;
  }

  /** To be called for every type and member. @throws PinfoldError invalid_input when there were too many */
  step(): void {
    this.steps++;
    if (this.steps > this.#stepsMax) throw badBtf('types that grow without end');
  }

  /** Runs something one level deeper. @throws PinfoldError invalid_input when that is too deep */
  deeper<T>(typeId: number, run: () => T): T {
    this.step();
    this.#depth++;
    if (this.#depth > btfLimits.depthMax) throw badBtf('nested too deeply', { type_id: typeId });
    const result = run();
    this.#depth--;
    return result;
  }
}
