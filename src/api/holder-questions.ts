import type { HolderReads } from '../agent/agent.ts';
import { PinfoldError } from '../model/error.ts';
import type { PinnableKind } from '../model/kind.ts';
import { limits } from '../model/limits.ts';
import type { HolderGraph, WhyDocument } from '../model/schema/holder.ts';

/** What is asked of the agent. */
type Asked = Pick<HolderReads, 'holders' | 'why'>;

/**
 * Questions about holders, one at a time: each keeps the agent's thread for tens of milliseconds, so that
 * between two of them everybody else has a turn.
 *
 * Equal ones that wait are answered by one reading. It begins after all of them came: none gets what was
 * read before it asked.
 */
export class HolderQuestions {
  readonly #asked: Asked;
  readonly #graphs = new Map<string, Promise<HolderGraph>>();
  readonly #whys = new Map<string, Promise<WhyDocument>>();
  #last: Promise<void> = Promise.resolve();

  constructor(asked: Asked) {
    this.#asked = asked;
  }

  /** Who holds an object. @throws PinfoldError too_many_requests, and as the agent does */
  holders(kind: PinnableKind, id: number): Promise<HolderGraph> {
    return this.#ask(this.#graphs, `${kind}:${id}`, () => this.#asked.holders(kind, id));
  }

  /** Why it is alive. @throws PinfoldError too_many_requests, and as the agent does */
  why(kind: PinnableKind, id: number): Promise<WhyDocument> {
    return this.#ask(this.#whys, `${kind}:${id}`, () => this.#asked.why(kind, id));
  }

  async #ask<T>(waiting: Map<string, Promise<T>>, key: string, read: () => T): Promise<T> {
    const equal = waiting.get(key);
    if (equal !== undefined) return await equal;
    if (this.#graphs.size + this.#whys.size >= limits.holderQuestionsMax) {
      throw new PinfoldError('too_many_requests', {
        detail: `${limits.holderQuestionsMax} questions about holders are waiting already.`,
        limit: 'holder_questions',
        retry_after: 1,
      });
    }
    const turn = this.#last.then(nextTurn);
    this.#last = turn;
    const answer = turn.then(() => {
      waiting.delete(key);
      return read();
    });
    waiting.set(key, answer);
    return await answer;
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
