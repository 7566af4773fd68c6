import { limits } from '../model/limits.ts';
import type { IdempotencyRecord, IdempotencyRecords } from '../model/store.ts';

/**
 * What was answered to an `Idempotency-Key`, remembered for as long as this process lives: a manager by
 * itself has no database. What it passes on to a node carries the key along, and is remembered there.
 *
 * The oldest are forgotten when there are more than limits.rememberedAnswersMax.
 */
export class RememberedAnswers implements IdempotencyRecords {
  readonly #records = new Map<string, IdempotencyRecord>();

  find(caller: string, key: string): IdempotencyRecord | undefined {
    return this.#records.get(nameOf(caller, key));
  }

  put(record: IdempotencyRecord): void {
    const name = nameOf(record.caller, record.key);
    this.#records.delete(name);
    this.#records.set(name, record);
    for (const oldest of this.#records.keys()) {
      if (this.#records.size <= limits.rememberedAnswersMax) return;
      this.#records.delete(oldest);
    }
  }

  prune(olderThan: string): void {
    for (const [name, { createdAt }] of this.#records) if (createdAt < olderThan) this.#records.delete(name);
  }
}

function nameOf(caller: string, key: string): string {
  return JSON.stringify([caller, key]);
}
