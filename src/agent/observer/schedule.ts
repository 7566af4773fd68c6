import type { Clock } from '../../model/clock.ts';
import { limits } from '../../model/limits.ts';
import type { PassKind } from './observer.ts';

/** When passes happen, in milliseconds. */
export interface Rhythm {
  readonly quickMs: number;
  readonly fullMs: number;
  /** From the first wake to the look: changes come in bursts, and a burst is one look. */
  readonly wakeMs: number;
}

/** The rhythm of an agent. */
export const usualRhythm: Rhythm = {
  quickMs: limits.observeIntervalMs,
  fullMs: limits.walkIntervalMs,
  wakeMs: 40,
};

/** Woken passes may take one part in this many of the time, however hard the names are changing. */
const wokenShare = 5;

/** What passes have cost so far. */
export interface PassTotals {
  readonly count: number;
  readonly seconds: number;
}

/** Runs passes, one at a time: by the clock, when something woke, and when somebody asks. */
export class Schedule {
  readonly #clock: Clock;
  readonly #rhythm: Rhythm;
  readonly #pass: (kind: PassKind) => Promise<void>;
  readonly #onFailure: (error: unknown) => void;
  #due = { quick: 0, full: 0 };
  #wokenAtMs: number | undefined;
  #lastPass = { endedAtMs: 0, tookMs: 0 };
  #asked: Asker[] = [];
  #wakeUp: () => void = () => undefined;
  #running: Promise<void> | undefined;
  #isStopping = false;
  readonly #totals = { quick: { count: 0, seconds: 0 }, full: { count: 0, seconds: 0 } };

  constructor(parts: {
    readonly clock: Clock;
    readonly rhythm: Rhythm;
    readonly pass: (kind: PassKind) => Promise<void>;
    readonly onFailure: (error: unknown) => void;
  }) {
    this.#clock = parts.clock;
    this.#rhythm = parts.rhythm;
    this.#pass = parts.pass;
    this.#onFailure = parts.onFailure;
  }

  /** Makes the first pass, then goes on by itself. @throws whatever the first pass throws */
  async start(): Promise<void> {
    await this.#run('full');
    this.#running = this.#loop();
  }

  /** Something changed: look soon. */
  wake(): void {
    this.#wokenAtMs ??= this.#clock.monotonicMs();
    this.#wakeUp();
  }

  /**
   * A pass that begins after this call and looks at everything; who asks while one is under way shares the
   * next.
   */
  refresh(): Promise<void> {
    if (this.#isStopping || this.#running === undefined) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#asked.push({ resolve, reject });
      this.#wakeUp();
    });
  }

  /** Lets the pass under way end and makes no more. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#wakeUp();
    await this.#running;
    for (const { resolve } of this.#asked.splice(0)) resolve();
  }

  totals(): Readonly<Record<'quick' | 'full', PassTotals>> {
    return { quick: { ...this.#totals.quick }, full: { ...this.#totals.full } };
  }

  async #loop(): Promise<void> {
    while (!this.#isStopping) {
      const next = this.#next();
      const waitMs = next.atMs - this.#clock.monotonicMs();
      if (waitMs > 0) await this.#sleep(waitMs);
      else await this.#runFor(next.kind);
    }
  }

  #next(): { readonly kind: PassKind; readonly atMs: number } {
    if (this.#asked.length > 0) return { kind: 'fresh', atMs: 0 };
    const { endedAtMs, tookMs } = this.#lastPass;
    const pause = Math.min(this.#rhythm.quickMs, Math.max(this.#rhythm.wakeMs, tookMs * wokenShare));
    const wokenAt =
      this.#wokenAtMs === undefined
        ? Number.POSITIVE_INFINITY
        : Math.max(this.#wokenAtMs + this.#rhythm.wakeMs, endedAtMs + pause);
    const quickAt = Math.min(wokenAt, this.#due.quick);
    return this.#due.full <= quickAt
      ? { kind: 'full', atMs: this.#due.full }
      : { kind: 'quick', atMs: quickAt };
  }

  async #runFor(kind: PassKind): Promise<void> {
    const askers = kind === 'fresh' ? this.#asked.splice(0) : [];
    try {
      await this.#run(kind);
      for (const { resolve } of askers) resolve();
    } catch (error) {
      for (const { reject } of askers) reject(error);
      if (askers.length === 0) this.#onFailure(error);
    }
  }

  async #run(kind: PassKind): Promise<void> {
    const began = this.#clock.monotonicMs();
    this.#wokenAtMs = undefined;
    try {
      await this.#pass(kind);
    } finally {
      const ended = this.#clock.monotonicMs();
      this.#lastPass = { endedAtMs: ended, tookMs: ended - began };
      this.#due.quick =
        began + this.#rhythm.quickMs < ended ? ended + this.#rhythm.wakeMs : began + this.#rhythm.quickMs;
      if (kind !== 'quick') this.#due.full = ended + this.#rhythm.fullMs;
      const totals = this.#totals[kind === 'quick' ? 'quick' : 'full'];
      totals.count++;
      totals.seconds += (ended - began) / 1000;
    }
  }

  async #sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wakeUp = () => undefined;
  }
}

interface Asker {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}
