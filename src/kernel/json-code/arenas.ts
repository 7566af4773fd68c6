import { Arena } from './arena.ts';

/** Room that most readings make do with: a batch, and a piece of text. */
const usualBytes = 1024 * 1024;

/**
 * The arenas of one thread. They are used again, because the engine reserves ten gigabytes of addresses for
 * each memory, until the garbage collector finds that nobody has it any more.
 */
export class Arenas {
  readonly #free: Arena[] = [];

  /** An arena with so much room; undefined where no memory, or no addresses, can be had. */
  take(bytes: number): Arena | undefined {
    const free = bytes <= usualBytes ? this.#free.pop() : undefined;
    if (free !== undefined) return free;
    try {
      return new Arena(Math.max(bytes, usualBytes));
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }

  /** Takes one back; nobody may use buffers of it any more. */
  give(arena: Arena): void {
    if (arena.size > usualBytes) return;
    arena.clear();
    this.#free.push(arena);
  }
}
