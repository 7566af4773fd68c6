import type { Clock } from '../model/clock.ts';
import type { TokenRecord, TokenRecords } from '../model/store.ts';

/** How long a token is believed without asking the database: another process may have changed it. */
const believedMs = 500;

/** How many are remembered at a time; whoever sends more different ones pays for a look-up each. */
const rememberedMax = 256;

/**
 * Remembers for a moment which token a hash belongs to, since a small request costs less than the look-up.
 *
 * What is made or revoked through the API counts at once: every change forgets everything.
 */
export class CachedTokens implements TokenRecords {
  readonly #records: TokenRecords;
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly record: TokenRecord; readonly untilMs: number }>();

  constructor(records: TokenRecords, clock: Clock) {
    this.#records = records;
    this.#clock = clock;
  }

  findBySha256(sha256: Uint8Array): TokenRecord | undefined {
    const key = Buffer.from(sha256.buffer, sha256.byteOffset, sha256.byteLength).toString('latin1');
    const known = this.#known.get(key);
    const nowMs = this.#clock.monotonicMs();
    if (known !== undefined && nowMs < known.untilMs) return known.record;
    const record = this.#records.findBySha256(sha256);
    if (record === undefined) {
      this.#known.delete(key);
      return undefined;
    }
    if (this.#known.size >= rememberedMax) this.#known.clear();
    this.#known.set(key, { record, untilMs: nowMs + believedMs });
    return record;
  }

  add(record: TokenRecord): void {
    this.#known.clear();
    this.#records.add(record);
  }

  remove(name: string): void {
    this.#known.clear();
    this.#records.remove(name);
  }

  list(): readonly TokenRecord[] {
    return this.#records.list();
  }

  touch(name: string, at: string): void {
    this.#records.touch(name, at);
  }
}
