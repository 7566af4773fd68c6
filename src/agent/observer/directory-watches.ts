import type { Kernel, Watcher } from '../../kernel/kernel.ts';
import type { Fd } from '../../kernel/sys/fd.ts';
import { isPinfoldError } from '../../model/error.ts';
import { isWithin } from '../../model/path.ts';
import type { DirectoryPath } from '../inventory/mount-names.ts';

/** A directory of an instance. */
export interface DirectoryPlace {
  readonly mount: string;
  readonly path: DirectoryPath;
}

/**
 * Which directories inotify tells of, and which of them it has told of since somebody asked.
 *
 * A watch is on the inode: a directory that is renamed keeps its number under its new path, and one that
 * goes takes its watch along. So a directory is watched anew whenever it is read, which answers the number
 * it has or gives it one.
 */
export class DirectoryWatches implements Disposable {
  readonly #watcher: Watcher;
  readonly #places = new Map<number, DirectoryPlace>();
  readonly #numbers = new Map<string, number>();
  readonly #woken = new Map<string, DirectoryPlace>();
  #hasLostEvents = false;

  constructor(openWatcher: Kernel['openWatcher'], onWake: () => void) {
    this.#watcher = openWatcher((watch) => {
      if (watch === 'overflow') this.#hasLostEvents = true;
      else {
        const place = this.#places.get(watch);
        if (place === undefined) return;
        this.wake(place);
      }
      onWake();
    });
  }

  /**
   * Watches an open directory. Whoever reads it reads it after this, so that nothing falls in between. False
   * where there are no more watches: the walks alone see its changes.
   */
  watch(place: DirectoryPlace, directory: Fd): boolean {
    try {
      const number = this.#watcher.add(directory);
      this.#places.set(number, place);
      this.#numbers.set(keyOf(place), number);
      return true;
    } catch (error) {
      if (isPinfoldError(error, 'overloaded')) return false;
      throw error;
    }
  }

  /** Forgets a directory that is gone, with those below it. */
  forget(gone: DirectoryPlace): void {
    for (const [number, place] of [...this.#places]) {
      if (place.mount !== gone.mount || !isBelow(place.path, gone.path)) continue;
      this.#places.delete(number);
      this.#numbers.delete(keyOf(place));
      this.#watcher.remove(number);
    }
  }

  /** Has a directory read in the next pass. */
  wake(place: DirectoryPlace): void {
    this.#woken.set(keyOf(place), place);
  }

  /** Hears what the kernel has queued until now. */
  look(): void {
    this.#watcher.look();
  }

  /** The directories that woke since the last call. */
  takeWoken(): readonly DirectoryPlace[] {
    const woken = [...this.#woken.values()];
    this.#woken.clear();
    return woken;
  }

  /** Whether events were dropped since the last call, so that every directory must be read. */
  takeOverflow(): boolean {
    const hasLost = this.#hasLostEvents;
    this.#hasLostEvents = false;
    return hasLost;
  }

  [Symbol.dispose](): void {
    this.#watcher[Symbol.dispose]();
  }
}

function isBelow(path: DirectoryPath, directory: DirectoryPath): boolean {
  return path === directory || (path !== '' && isWithin(path, directory));
}

function keyOf(place: DirectoryPlace): string {
  return `${place.mount}/${place.path}`;
}
