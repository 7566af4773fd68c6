/** What both clocks say at one moment, in milliseconds. */
export interface Moment {
  readonly wallMs: number;
  readonly boottimeMs: number;
}

/** A stretch in which the wall clock only ran: from which time to which, and how far it was ahead. */
interface Segment {
  readonly fromMs: number;
  readonly toMs: number;
  readonly offsetMs: number;
}

/** Differences below this are the clock being slewed, not set. */
const jumpMs = 2000;

/**
 * How long ago a moment was that the kernel wrote down by the wall clock, which may have been set since.
 *
 * Each time it is told what both clocks say, it sees whether the wall clock was set since the last time. A
 * moment is then as old as the youngest reading of it that is possible; one that no reading allows is new.
 * What was set before the first time it cannot know; but nothing in a bpffs is older than the boot.
 */
export class Timeline {
  #past: readonly Segment[] = [];
  #fromMs = Number.NEGATIVE_INFINITY;
  #now: Moment | undefined;

  /** Tells what the clocks say now. */
  note(now: Moment): void {
    const last = this.#now;
    this.#now = now;
    if (last === undefined || Math.abs(offsetOf(now) - offsetOf(last)) <= jumpMs) return;
    // It was set at some moment since the last look, so both stretches are taken for as long as they can be.
    const sinceMs = now.boottimeMs - last.boottimeMs;
    const ended = { fromMs: this.#fromMs, toMs: last.wallMs + sinceMs, offsetMs: offsetOf(last) };
    this.#past = [...this.#past, ended];
    this.#fromMs = now.wallMs - sinceMs;
  }

  /** Milliseconds since a moment of the wall clock, as of the last time it was told. */
  ageMs(wallMs: number): number {
    const now = this.#now;
    if (now === undefined) return 0;
    const current = { fromMs: this.#fromMs, toMs: now.wallMs, offsetMs: offsetOf(now) };
    const ages = [...this.#past, current]
      .filter(({ fromMs, toMs }) => wallMs >= fromMs && wallMs <= toMs)
      .map(({ offsetMs }) => now.boottimeMs + offsetMs - wallMs);
    return ages.length === 0 ? 0 : Math.max(0, Math.min(now.boottimeMs, ...ages));
  }
}

function offsetOf({ wallMs, boottimeMs }: Moment): number {
  return wallMs - boottimeMs;
}
