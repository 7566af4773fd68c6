import type { Kernel } from '../../kernel/kernel.ts';
import type { Clock } from '../../model/clock.ts';
import { boundProcessOf } from '../../model/hook/workload-claim.ts';
import { limits } from '../../model/limits.ts';
import type { ClaimBook } from '../claim/claim-book.ts';

/** What abandoned claims are found with. */
export interface AbandonedParts {
  readonly book: Pick<ClaimBook, 'list' | 'endByItself'>;
  readonly kernel: Pick<Kernel, 'processes'>;
  readonly clock: Clock;
}

/**
 * Ends claims of containers whose process has ended without their runtime telling us: it was killed, too, or
 * failed after our hook. They are given limits.hookGraceMs, in which a runtime that is well comes by.
 */
export class Abandoned {
  readonly #parts: AbandonedParts;
  /** Since when the process of a claim was seen to be gone, by the claim's id, in milliseconds after boot. */
  #goneSinceMs: ReadonlyMap<string, number> = new Map();

  constructor(parts: AbandonedParts) {
    this.#parts = parts;
  }

  /**
   * Takes one read of /proc for each claim of a container.
   *
   * @throws PinfoldError storage_full, storage_failed
   */
  afterPass(): void {
    const { book, clock } = this.#parts;
    const { processes } = this.#parts.kernel;
    const nowMs = clock.bootMs();
    const gone = book.list().filter((claim) => {
      const process = boundProcessOf(claim);
      return process !== undefined && processes.startOf(process.pid) !== process.startTicks;
    });
    const since = new Map(gone.map(({ id }) => [id, this.#goneSinceMs.get(id) ?? nowMs]));
    this.#goneSinceMs = since;
    book.endByItself(gone.filter(({ id }) => nowMs - (since.get(id) ?? nowMs) >= limits.hookGraceMs));
  }
}
