import { limits } from '../model/limits.ts';
import type { IdempotencyRecord, IdempotencyRecords } from '../model/store.ts';

/**
 * What was answered to an `Idempotency-Key`, remembered for as long as this process lives: a manager by
 * itself has no database. What it passes on to a node carries the key along, and is remembered there.
 *
 * The oldest are forgotten when there are more than limits.rememberedAnswersMax, or their texts take more
 * than limits.rememberedBytesMax.
 */
export class RememberedAnswers implements IdempotencyRecords {
  readonly #records = new Map<string, IdempotencyRecord>();
  #bytes = 0;

  find(caller: string, key: string): IdempotencyRecord | undefined {
    return this.#records.get(nameOf(caller, key));
  }

  put(record: IdempotencyRecord): void {
    const name = nameOf(record.caller, record.key);
    this.#forget(name);
    this.#records.set(name, record);
    this.#bytes += bytesOf(record);
    for (const oldest of this.#records.keys()) {
      if (this.#records.size <= limits.rememberedAnswersMax && this.#bytes <= limits.rememberedBytesMax)
        return;
      this.#forget(oldest);
    }
  }

  prune(olderThan: string): void {
    for (const [name, { createdAt }] of this.#records) if (createdAt < olderThan) this.#forget(name);
  }

  #forget(name: string): void {
    const record = this.#records.get(name);
    if (record !== undefined) this.#bytes -= bytesOf(record);
    this.#records.delete(name);
  }
}

/** Of what is kept of it, about: two bytes a character, and what is around. */
function bytesOf({ caller, key, headers, body }: IdempotencyRecord): number {
  return 500 + 2 * (caller.length + key.length + JSON.stringify(headers).length + body.length);
}

function nameOf(caller: string, key: string): string {
  return JSON.stringify([caller, key]);
}
