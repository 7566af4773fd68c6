import { Session } from 'node:inspector/promises';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import type { Clock } from '../../model/clock.ts';

/** How much larger than after the last collection the heap must be, in bytes, for another to be worth it. */
const worthBytes = 16 * 1024 * 1024;

/** At rest a process takes less than one part in so many of one processor. */
const restShare = 10;

/** By how much, in percent of what is in use, the heap may grow until the engine collects what is old. */
const growthPercent = 50;

/**
 * Has the engine collect old garbage sooner than it would: left alone it lets the heap grow to three or four
 * times of what is in use, which a clean-up of 11,000 pins fills within seconds
 * (docs/adr/0042-the-heap-grows-by-half.md). To be called by a process about itself, when it begins.
 */
export function growByHalf(): void {
  setFlagsFromString(`--heap-growing-percent=${growthPercent}`);
}

/** How the process stands. */
export interface HeapReading {
  /** Bytes of the heap, garbage and room for more included. */
  readonly heapBytes: number;
  /** Processor time since the process began. */
  readonly usedMs: number;
  /** Of the monotonic clock. */
  readonly atMs: number;
}

/** What the heap is read by and made smaller with. */
export interface HeapTools {
  read(): HeapReading;
  collect(): Promise<void>;
}

/**
 * Gives memory back when there is time: the engine collects garbage when it needs room, and at rest nothing
 * does, so that what a large observation left behind would stay for hours
 * (docs/adr/0018-garbage-is-collected-at-rest.md).
 */
export class Heap {
  readonly #tools: HeapTools;
  #last: HeapReading;
  #leastBytes = 0;

  constructor(tools: HeapTools) {
    this.#tools = tools;
    this.#last = tools.read();
  }

  /** To be called now and then, seconds apart. Collects where that is worth it and nobody waits. */
  async look(): Promise<void> {
    const now = this.#tools.read();
    const isAtRest = (now.usedMs - this.#last.usedMs) * restShare < now.atMs - this.#last.atMs;
    this.#last = now;
    this.#leastBytes = Math.min(this.#leastBytes, now.heapBytes);
    if (!isAtRest || now.heapBytes - this.#leastBytes < worthBytes) return;
    await this.#tools.collect();
    this.#last = this.#tools.read();
    this.#leastBytes = this.#last.heapBytes;
  }
}

/**
 * The engine's own. It collects when its inspector asks for it, inside this process and without a port: all
 * garbage at once, and what the heap no longer needs goes back to the system. Some 50 ms for 60 MB.
 */
export function heapTools(clock: Clock): HeapTools {
  return {
    read: () => {
      const { user, system } = process.cpuUsage();
      const { total_heap_size: heapBytes } = getHeapStatistics();
      return { heapBytes, usedMs: (user + system) / 1000, atMs: clock.monotonicMs() };
    },
    collect: async () => {
      const session = new Session();
      session.connect();
      try {
        await session.post('HeapProfiler.collectGarbage');
      } finally {
        session.disconnect();
      }
    },
  };
}
