import { setTimeout as pause } from 'node:timers/promises';
import type { Kernel } from '../../kernel/kernel.ts';
import type { Claim } from '../../model/claim/claim.ts';
import { parseOwner } from '../../model/claim/owner.ts';
import type { Clock } from '../../model/clock.ts';
import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import type { Workload } from '../../model/hook/oci-state.ts';
import { type BoundProcess, boundProcessOf, labelsOfProcess } from '../../model/hook/workload-claim.ts';
import { limits } from '../../model/limits.ts';
import { escapeBytes, type PinPath, pathMembers } from '../../model/path.ts';
import type { ChangeContext, Waits } from '../agent.ts';
import type { ClaimBook } from '../claim/claim-book.ts';
import type { ClaimAsked, Claims } from '../claim/contract.ts';

/** What hooks stand on. */
export interface HookParts {
  readonly waits: Waits;
  readonly claims: Claims;
  readonly book: Pick<ClaimBook, 'find' | 'list'>;
  readonly kernel: Pick<Kernel, 'processes'>;
  readonly clock: Clock;
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
   * @throws PinfoldError pin_not_found when the time is over; conflict where a living workload has its name;
   * as claims and waits
   */
  begin(workload: Workload, context: HookContext): Promise<void>;
  /**
   * Releases what a workload claims; nothing to release is as good.
   *
   * @throws PinfoldError conflict where the process that has the claim lives: it is another workload's;
   * read_only, …
   */
  end(owner: string, change: ChangeContext): Promise<void>;
  /** That a workload still has what it began with. @throws PinfoldError pin_not_found, claim_not_found */
  check(workload: Workload, context: HookContext): Promise<void>;
  /** Releases all claims whose owners begin so and that have these labels, but those to keep. */
  keepOnly(retained: Retained, change: ChangeContext): Promise<void>;
}

/**
 * Carries out what hooks ask for with claims and waits.
 *
 * While a hook waits its claim has a lease that is a little longer than the wait, so that it ends whoever is
 * killed. From then on it has none, because nobody would renew it: who begins a workload is a script that has
 * ended. It ends with the workload: when its runtime says so, when its process has ended (see Abandoned), or
 * with the boot.
 */
export class AgentHooks implements Hooks {
  readonly #parts: HookParts;

  constructor(parts: HookParts) {
    this.#parts = parts;
  }

  async begin(workload: Workload, context: HookContext): Promise<void> {
    if (workload.wish.claims.length === 0) return await this.#untilThere(workload, context);
    const process = this.#processOf(workload, context);
    const standing = await this.#standing(workload.owner, process, context.change);
    const leaseMs = patienceOf(workload, context) + limits.hookGraceMs;
    try {
      await this.#claim(workload, process, { leaseMs: standing === undefined ? leaseMs : null }, context);
      await this.#untilThere(workload, context);
      if (process !== undefined && this.#hasEnded(process)) throw endedMeanwhile(process);
      // Once more, so that the claim remembers what came.
      await this.#claim(workload, process, { leaseMs: null }, context);
    } catch (error) {
      if (standing === undefined) await this.#release(workload.owner, context.change);
      else await this.#giveBack(standing, context.change);
      throw error;
    }
  }

  async end(owner: string, change: ChangeContext): Promise<void> {
    const process = boundProcessOf(this.#parts.book.find(owner));
    const untilMs = this.#parts.clock.monotonicMs() + limits.hookDyingMs;
    while (process !== undefined && !this.#hasEnded(process)) {
      if (this.#parts.clock.monotonicMs() > untilMs) throw isAnothers(owner, process);
      await pause(dyingEveryMs);
    }
    await this.#release(owner, change);
  }

  async check({ owner, wish }: Workload, { signal }: HookContext): Promise<void> {
    if (wish.claims.length > 0) await this.#parts.claims.get(parseOwner(owner));
    for (const path of wish.needs) {
      if (!(await this.#isThere(path, 0, signal))) throw notThere(path, 0);
    }
  }

  async keepOnly({ prefix, labels, kept }: Retained, change: ChangeContext): Promise<void> {
    const wanted = Object.entries(labels);
    const going = this.#parts.book
      .list()
      .filter((claim) => wanted.every(([name, value]) => claim.labels[name] === value))
      .filter(({ owner }) => owner.startsWith(prefix) && !kept.has(owner));
    for (const { owner } of going) await this.#release(owner, change);
  }

  /**
   * The process that a workload lives as long as. Its runtime's numbers are ours only where whoever asks is
   * in our pid namespace, which the kernel says of a peer on the unix socket.
   */
  #processOf({ pid }: Workload, { change }: HookContext): BoundProcess | undefined {
    const { processes } = this.#parts.kernel;
    const asking = change.caller.pid;
    if (pid === undefined || asking === undefined || !processes.countsAsWe(asking)) return undefined;
    const startTicks = processes.startOf(pid);
    return startTicks === undefined ? undefined : { pid, startTicks };
  }

  #hasEnded({ pid, startTicks }: BoundProcess): boolean {
    return this.#parts.kernel.processes.startOf(pid) !== startTicks;
  }

  /**
   * The claim that this very workload has already; one of an ended workload of the same name ends.
   *
   * @throws PinfoldError conflict where a process that lives has it
   */
  async #standing(
    owner: string,
    process: BoundProcess | undefined,
    change: ChangeContext,
  ): Promise<Claim | undefined> {
    const claim = this.#parts.book.find(owner);
    const bound = boundProcessOf(claim);
    if (bound !== undefined && !isSame(bound, process)) {
      if (!this.#hasEnded(bound)) throw isAnothers(owner, bound);
      await this.#release(owner, change);
      return undefined;
    }
    // With a lease it is what another hook of this workload has left, which was killed while it waited.
    return claim?.lease === null ? claim : undefined;
  }

  async #claim(
    { owner, wish, labels }: Workload,
    process: BoundProcess | undefined,
    { leaseMs }: { readonly leaseMs: number | null },
    { change }: HookContext,
  ): Promise<void> {
    const named = { ...labels, ...(process === undefined ? {} : labelsOfProcess(process)) };
    // What is there now is what this workload gets, whatever one of the same name had.
    const asked = { mount: undefined, paths: wish.claims, leaseMs, labels: named, adopts: true };
    await this.#parts.claims.put(parseOwner(owner), asked, change);
  }

  async #giveBack({ owner, pins, labels }: Claim, change: ChangeContext): Promise<void> {
    const paths = pins.map(({ path }) => path);
    const asked: ClaimAsked = { mount: undefined, paths, leaseMs: null, labels, adopts: false };
    await this.#parts.claims.put(owner, asked, change);
  }

  async #release(owner: string, change: ChangeContext): Promise<void> {
    try {
      await this.#parts.claims.release(parseOwner(owner), { unpins: false }, change);
    } catch (error) {
      if (!isPinfoldError(error, 'claim_not_found')) throw error;
    }
  }

  /** Looks at all of them again after each time it had to wait for one. */
  async #untilThere(workload: Workload, context: HookContext): Promise<void> {
    const { clock } = this.#parts;
    const { signal } = context;
    const timeoutMs = patienceOf(workload, context);
    const deadline = clock.monotonicMs() + timeoutMs;
    for (let hasWaited = true; hasWaited; ) {
      hasWaited = false;
      for (const path of workload.wish.needs) {
        if (await this.#isThere(path, 0, signal)) continue;
        const leftMs = Math.max(0, Math.round(deadline - clock.monotonicMs()));
        if (leftMs === 0 || !(await this.#isThere(path, leftMs, signal))) throw notThere(path, timeoutMs);
        hasWaited = true;
      }
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

/** How often the end of a container looks whether its process has died by now. */
const dyingEveryMs = 20;

function patienceOf({ wish }: Workload, { withinMs }: HookContext): number {
  return Math.min(wish.timeoutMs ?? withinMs, withinMs);
}

function isSame(one: BoundProcess, other: BoundProcess | undefined): boolean {
  return one.pid === other?.pid && one.startTicks === other.startTicks;
}

function isAnothers(owner: string, { pid }: BoundProcess): PinfoldError {
  const detail = `The claim of ${escapeBytes(owner)} belongs to process ${pid}, which lives.`;
  return new PinfoldError('conflict', { detail, pid });
}

function endedMeanwhile({ pid }: BoundProcess): PinfoldError {
  return new PinfoldError('conflict', { detail: `Process ${pid} has ended while its pins were waited for.` });
}

function notThere(path: PinPath, timeoutMs: number): PinfoldError {
  const shown = escapeBytes(path);
  const detail =
    timeoutMs === 0 ? `No pin is at ${shown}.` : `No pin came to ${shown} within ${timeoutMs / 1000} s.`;
  return new PinfoldError('pin_not_found', { detail, ...pathMembers(path) });
}
