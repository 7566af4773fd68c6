import type { InodeFacts } from '../../kernel/kernel.ts';
import type { Clock } from '../../model/clock.ts';
import type { DirectoryPath } from '../inventory/mount-names.ts';
import type { DirectoryPlace } from './directory-watches.ts';

/**
 * How long a directory must have been left alone before it was read. The kernel stamps changes by a clock
 * that ticks every 10 ms at most (ktime_get_coarse_real_ts64): two in one tick look alike.
 */
const settledMs = 1000;

/**
 * Directories whose names are known, each with the change time it had when they were read.
 *
 * Every name that comes, goes or is another moves the change time of its directory (fs/libfs.c and
 * bpf_dentry_finalize in kernel/bpf/inode.c), which nobody can set: while it stands, the names do, and need
 * not be read again (test/kernel/observer-lost-wakes.test.ts).
 */
export class SettledDirectories {
  readonly #clock: Clock;
  readonly #stamps = new Map<string, Map<DirectoryPath, string>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether the names are those that were read last. */
  isUnchanged({ mount, path }: DirectoryPlace, now: InodeFacts): boolean {
    return this.#stamps.get(mount)?.get(path) === stampOf(now);
  }

  /** Whether a directory with these facts can be trusted to stay as it is read now. */
  isSettled({ ctimeNs }: InodeFacts): boolean {
    return this.#clock.now().getTime() - Number(ctimeNs / 1_000_000n) > settledMs;
  }

  /** The inventory has the names of a directory that had these facts before it was read. */
  note({ mount, path }: DirectoryPlace, facts: InodeFacts): void {
    const stamps = this.#stamps.get(mount) ?? new Map<DirectoryPath, string>();
    stamps.set(path, stampOf(facts));
    this.#stamps.set(mount, stamps);
  }

  /** Has every directory of an instance read again, or of all. */
  forget(mount?: string): void {
    if (mount === undefined) this.#stamps.clear();
    else this.#stamps.delete(mount);
  }
}

function stampOf({ inode, ctimeNs }: InodeFacts): string {
  return `${inode}@${ctimeNs}`;
}
