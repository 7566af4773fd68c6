import { errorCatalogue, PinfoldError } from '../../model/error.ts';
import type { Unreachable } from '../../model/schema/cluster.ts';

/**
 * Who did not answer a question to many nodes, with why.
 *
 * A node may refuse the question itself (400, 422). Where all that were asked do, the question is refused;
 * where one other answers, the node is an odd or an older one, and must not keep the others' answers back.
 */
export class Absentees {
  readonly #unreachable: Unreachable[] = [];
  #hasAnswer = false;
  #refusal: PinfoldError | undefined;

  /** One has answered. */
  answered(): void {
    this.#hasAnswer = true;
  }

  /** One was not asked, and why. */
  add(absent: Unreachable): void {
    this.#unreachable.push(absent);
  }

  /** One gave no answer, or no more of it. @throws what is no failure of the node */
  note(node: string, error: unknown): void {
    if (!(error instanceof PinfoldError)) throw error;
    if (error.code === 'node_unreachable') {
      this.add({ node, reason: error.message });
      return;
    }
    const { status } = errorCatalogue[error.code];
    if (status !== 400 && status !== 422) throw error;
    this.#refusal ??= error;
    this.add({ node, reason: `The node ${node} refuses the question (${error.code}): ${error.message}` });
  }

  /**
   * All of them, by name, or those up to a node: who is asked again for the next page is named there.
   *
   * @throws PinfoldError where nobody has answered, and somebody refused the question
   */
  settle(last?: string): readonly Unreachable[] {
    if (!this.#hasAnswer && this.#refusal !== undefined) throw this.#refusal;
    const named = this.#unreachable.filter(({ node }) => last === undefined || node <= last);
    return named.sort((one, other) => (one.node < other.node ? -1 : 1));
  }
}
