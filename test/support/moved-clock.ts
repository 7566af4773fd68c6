import { uptime } from 'node:os';
import type { Clock } from '../../src/model/clock.ts';

/** The machine's clocks, but for what a test has moved them by. */
export interface MovedClock extends Clock {
  /** Moves the time of day, as somebody who sets the clock does. */
  setBy(ms: number): void;
  /** Moves the time since boot alone, as if the machine had slept. */
  sleep(ms: number): void;
}

/** Makes clocks that run as the machine's do. */
export function movedClock(): MovedClock {
  let wallMs = 0;
  let sleptMs = 0;
  return {
    now: () => new Date(Date.now() + wallMs),
    monotonicMs: () => performance.now(),
    bootMs: () => uptime() * 1000 + sleptMs,
    setBy: (ms) => {
      wallMs += ms;
    },
    sleep: (ms) => {
      sleptMs += ms;
    },
  };
}
