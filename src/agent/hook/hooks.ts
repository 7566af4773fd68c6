import { type ClaimOwner, parseOwner } from '../../model/claim/owner.ts';
import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import type { Workload } from '../../model/hook/oci-state.ts';
import { limits } from '../../model/limits.ts';
import { escapeBytes, type PinPath } from '../../model/path.ts';
import type { ChangeContext, Waits } from '../agent.ts';
import type { Claims } from '../claim/contract.ts';

/** What hooks stand on. */
export interface HookParts {
  readonly waits: Waits;
  readonly claims: Claims;
  readonly monotonicMs: () => number;
}

/** Who asks, and for how long at most. */
export interface HookContext {
  readonly change: ChangeContext;
  /** What the machine's owner allows; a workload can only want less. */
  readonly withinMs: number;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** What hooks of container runtimes and plugins of networks ask for. */
export interface Hooks {
  /**
   * Claims what a workload claims, then waits until all it needs is there at once. The claim comes first, so
   * that nobody takes away what has been waited for; it is undone where the wait fails.
   *
   * @throws PinfoldError pin_not_found when the time is over; as claims and waits
   */
  begin(workload: Workload, context: HookContext): Promise<void>;
  /** Releases what a workload claims; nothing to release is as good. @throws PinfoldError read_only, … */
  end(owner: string, change: ChangeContext): Promise<void>;
  /** That a workload still has what it began with. @throws PinfoldError pin_not_found, claim_not_found */
  check(workload: Workload, context: HookContext): Promise<void>;
  /** Releases all claims whose owners begin so and that have these labels, but those to keep. */
  keepOnly(retained: Retained, change: ChangeContext): Promise<void>;
}

/**
 * Carries out what hooks ask for with claims and waits.
 *
 * Claims of workloads have no lease, because nobody would renew it: who begins a workload is a script that
 * has ended. They end with the workload; those of one that ended while no agent ran stay, under its name.
 */
export class AgentHooks implements Hooks {
  readonly #parts: HookParts;

  constructor(parts: HookParts) {
    this.#parts = parts;
  }

  async begin(workload: Workload, context: HookContext): Promise<void> {
    const isNew = await this.#claim(workload, context);
    try {
      const hasWaited = await this.#untilThere(workload, context);
      // Once more, so that the claim remembers what came.
      if (hasWaited) await this.#claim(workload, context);
    } catch (error) {
      if (isNew) await this.end(workload.owner, context.change);
      throw error;
    }
  }

  async end(owner: string, change: ChangeContext): Promise<void> {
    try {
      await this.#parts.claims.release(parseOwner(owner), { unpins: false }, change);
    } catch (error) {
      if (!isPinfoldError(error, 'claim_not_found')) throw error;
    }
  }

  async check({ owner, wish }: Workload, { signal }: HookContext): Promise<void> {
    if (wish.claims.length > 0) await this.#parts.claims.get(parseOwner(owner));
    for (const path of wish.needs) {
      if (!(await this.#isThere(path, 0, signal))) throw notThere(path, 0);
    }
  }

  async keepOnly({ prefix, labels, kept }: Retained, change: ChangeContext): Promise<void> {
    for (const owner of this.#owners(labels)) {
      if (owner.startsWith(prefix) && !kept.has(owner)) await this.end(owner, change);
    }
  }

  /** Whether that was a new claim. */
  async #claim({ owner, wish, labels }: Workload, { change }: HookContext): Promise<boolean> {
    if (wish.claims.length === 0) return false;
    // What is there now is what this workload gets, whatever one of the same name had.
    const asked = { mount: undefined, paths: wish.claims, leaseMs: null, labels, adopts: true };
    const { created } = await this.#parts.claims.put(parseOwner(owner), asked, change);
    return created;
  }

  #owners(labels: Readonly<Record<string, string>>): readonly ClaimOwner[] {
    const owners: ClaimOwner[] = [];
    let after: string | undefined;
    do {
      const { items, next } = this.#parts.claims.list(
        { labels },
        { after, limit: limits.pageItemsMax },
      ).value;
      owners.push(...items.map(({ owner }) => parseOwner(owner)));
      after = next;
    } while (after !== undefined);
    return owners;
  }

  /** Looks at all of them again after each time it had to wait for one. Tells whether it had to. */
  async #untilThere({ wish }: Workload, { withinMs, signal }: HookContext): Promise<boolean> {
    const timeoutMs = Math.min(wish.timeoutMs ?? withinMs, withinMs);
    const deadline = this.#parts.monotonicMs() + timeoutMs;
    for (let rounds = 0; ; rounds++) {
      let hasWaited = false;
      for (const path of wish.needs) {
        if (await this.#isThere(path, 0, signal)) continue;
        const leftMs = Math.max(0, Math.round(deadline - this.#parts.monotonicMs()));
        if (leftMs === 0 || !(await this.#isThere(path, leftMs, signal))) throw notThere(path, timeoutMs);
        hasWaited = true;
      }
      if (!hasWaited) return rounds > 0;
    }
  }

  async #isThere(path: PinPath, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    const question = { path, mount: undefined, wanted: 'exists', timeoutMs } as const;
    return (await this.#parts.waits.wait(question, signal)).met;
  }
}

/** Which claims of many stay. */
export interface Retained {
  readonly prefix: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly kept: ReadonlySet<string>;
}

function notThere(path: PinPath, timeoutMs: number): PinfoldError {
  const shown = escapeBytes(path);
  const detail =
    timeoutMs === 0 ? `No pin is at ${shown}.` : `No pin came to ${shown} within ${timeoutMs / 1000} s.`;
  return new PinfoldError('pin_not_found', { detail, path: shown });
}
