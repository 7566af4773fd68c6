/** The only source of time; main.ts hands out the real one. */
export interface Clock {
  /** Wall-clock time as history records it. */
  now(): Date;
  /** Milliseconds that never go backwards, for durations and deadlines within this process. */
  monotonicMs(): number;
  /** Milliseconds since boot, also asleep (CLOCK_BOOTTIME): what outlives this process goes by it. */
  bootMs(): number;
}
