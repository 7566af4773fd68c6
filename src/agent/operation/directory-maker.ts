import { attempting } from '../../kernel/bpffs/refusal.ts';
import { isSystemCallError } from '../../kernel/sys/errno.ts';
import { isPinfoldError } from '../../model/error.ts';
import type { PinPath } from '../../model/path.ts';
import type { DirectoryChange } from './sink.ts';
import type { Site } from './site.ts';

/** As `mkdir -p` makes them; the process's umask and a setgid parent apply. */
const parentMode = 0o755;

/**
 * Makes the directories that a path lacks, and removes exactly those again when the operation is taken back.
 */
export class DirectoryMaker {
  readonly paths: readonly PinPath[];
  readonly #site: Site;
  readonly #lastMode: number;
  #made: PinPath[] = [];

  /** The last of the paths may be given another mode, so that it is never open to more than it shall be. */
  constructor(site: Site, paths: readonly PinPath[], lastMode = parentMode) {
    this.#site = site;
    this.paths = paths;
    this.#lastMode = lastMode;
  }

  /** One that somebody else has made meanwhile is as good, and stays theirs. */
  make(): void {
    for (const path of this.paths) {
      const mode = path === this.paths.at(-1) ? this.#lastMode : parentMode;
      if (makeDirectory(this.#site, path, mode)) this.#made.push(path);
    }
  }

  /** One in which somebody has put something meanwhile stays. */
  undo(): void {
    for (const path of this.#made.splice(0).reverse()) removeIfEmpty(this.#site, path);
  }

  /** After a crash nobody knows who made them; what the plan was going to make is taken for ours. */
  examine(): void {
    this.#made = this.paths.filter((path) => this.#site.inodeAtPath(path) !== undefined);
  }

  changes(): readonly DirectoryChange[] {
    return this.#made.map((path) => ({ type: 'directory_made', mount: this.#site.mount, path }));
  }
}

function makeDirectory(site: Site, path: PinPath, mode: number): boolean {
  return site.at(path, (place) => {
    try {
      site.kernel.calls.mkdirat(place, mode);
      return true;
    } catch (error) {
      if (isSystemCallError(error, 'EEXIST')) return false;
      return attempting({ attempt: 'make_directory', path }, () => {
        throw error;
      });
    }
  });
}

function removeIfEmpty(site: Site, path: PinPath): void {
  try {
    site.at(path, (place) =>
      attempting({ attempt: 'remove_directory', path }, () => site.kernel.calls.rmdirat(place)),
    );
    site.forget(path);
  } catch (error) {
    const isGoneOrUsed =
      isPinfoldError(error, 'directory_not_empty') ||
      isPinfoldError(error, 'directory_not_found') ||
      isPinfoldError(error, 'parent_not_found') ||
      isPinfoldError(error, 'not_a_directory');
    if (!isGoneOrUsed) throw error;
  }
}
