import type { BootMoment } from './claim/lease.ts';

/** The only source of time; main.ts hands out the real one. */
export interface Clock {
  /** Wall-clock time as history records it. */
  now(): Date;
  /** Milliseconds that never go backwards, for durations and deadlines within this process. */
  monotonicMs(): number;
  /** Milliseconds since boot, time asleep included (CLOCK_BOOTTIME): what outlives this process goes by it. */
  bootMs(): number;
}

/**
 * The clock of deadlines that outlive a process: CLOCK_BOOTTIME with the boot it belongs to.
 * `src/kernel/proc/boot.ts` reads it.
 */
export interface BootClock {
  now(): BootMoment;
}
