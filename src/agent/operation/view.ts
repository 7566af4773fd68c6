import type { InodeFacts } from '../../kernel/kernel.ts';
import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import { type PinPath, parentOf, pathMembers } from '../../model/path.ts';
import { isQuarantined } from '../quarantine/is-quarantined.ts';
import { openDirectory } from './directory.ts';
import type { Holds } from './holds.ts';
import { holdPin } from './pin-state.ts';
import { quote } from './sentence.ts';
import { factsOf, type Site } from './site.ts';
import { Subject } from './subject.ts';

/** A directory that an earlier line makes, as far as what is made in it inherits from it. */
interface PlannedDirectory {
  readonly gid: number | undefined;
}

type Entry = Subject | PlannedDirectory | 'absent';

/**
 * What names hold: the kernel's answer, overlaid with what earlier lines of the same batch are going to do.
 *
 * Every pin that is looked at is held until the operation ends, so that what was planned on is what is worked
 * on.
 */
export class View {
  readonly #site: Site;
  readonly #holds: Holds;
  readonly #keptAs: (path: PinPath) => string | undefined;
  readonly #entries = new Map<PinPath, Entry>();
  #concernsOthers = false;

  /** `keptAs` names what was at a path and is in quarantine now. */
  constructor(site: Site, holds: Holds, keptAs: (path: PinPath) => string | undefined) {
    this.#keptAs = keptAs;
    this.#site = site;
    this.#holds = holds;
  }

  /** Whether changes of other paths may be about the same: other names of a pin, a directory to be made. */
  get concernsOthers(): boolean {
    return this.#concernsOthers;
  }

  /**
   * The pin at a path; undefined where its name, or a directory on the way, is missing.
   *
   * @throws PinfoldError symlink, is_a_directory, not_a_pin, not_a_directory, crosses_mount,
   * permission_denied
   */
  find(path: PinPath): Subject | undefined {
    const planned = this.#plannedAt(path);
    if (planned === 'absent') return undefined;
    if (planned instanceof Subject) return planned;
    if (planned !== undefined) throw isADirectory(path);
    return this.#read(path);
  }

  /**
   * The pin at a path. @throws PinfoldError pin_not_found, parent_not_found, quarantined and what `find`
   * throws
   */
  get(path: PinPath): Subject {
    const found = this.find(path);
    if (found !== undefined) return found;
    const id = this.#keptAs(path);
    if (id !== undefined) throw isQuarantined(path, id);
    const [missing] = this.missingDirectories(parentOf(path));
    const code = missing === undefined ? 'pin_not_found' : 'parent_not_found';
    const why = missing === undefined ? '' : ' Its directory does not exist.';
    throw new PinfoldError(code, {
      detail: `There is no pin at ${quote(path)}.${why}`,
      ...pathMembers(path),
      ...this.answerAt(missing ?? path),
    });
  }

  /** What the kernel has answered for a missing name; nothing where only a line of the batch takes it. */
  answerAt(path: PinPath): { readonly syscall?: string; readonly errno?: string } {
    return this.#plannedAt(path) === undefined ? { syscall: 'openat2', errno: 'ENOENT' } : {};
  }

  /** The directories that a path lacks, outermost first. @throws PinfoldError not_a_directory, symlink, … */
  missingDirectories(directory: PinPath | ''): readonly PinPath[] {
    if (directory === '' || this.#isDirectory(directory)) return [];
    return [...this.missingDirectories(parentOf(directory)), directory];
  }

  /** @throws PinfoldError directory_not_found, not_a_directory */
  assertDirectory(path: PinPath): void {
    const planned = this.#plannedAt(path);
    if (planned === undefined) openDirectory(this.#site, path)[Symbol.dispose]();
    else if (planned instanceof Subject) throw notADirectory(path, path);
    else if (planned === 'absent') throw noDirectory(path);
  }

  /** What a directory is now; undefined where it is missing or is yet to be made. */
  directoryFacts(path: PinPath): InodeFacts | undefined {
    if (this.#plannedAt(path) !== undefined) return undefined;
    const found = this.#site.findDirectory(path);
    if (found !== undefined) return found;
    try {
      using open = openDirectory(this.#site, path);
      return factsOf(open);
    } catch (error) {
      if (isPinfoldError(error, 'directory_not_found') || isPinfoldError(error, 'parent_not_found'))
        return undefined;
      throw error;
    }
  }

  /**
   * The group that what is made in a directory gets from it, by its setgid bit; undefined where it has none.
   */
  inheritedGid(directory: PinPath | ''): number | undefined {
    const planned = directory === '' ? undefined : this.#entries.get(directory);
    if (planned !== undefined && planned !== 'absent' && !(planned instanceof Subject)) return planned.gid;
    const facts = directory === '' ? this.#rootFacts() : this.directoryFacts(directory);
    if (facts === undefined) return directory === '' ? undefined : this.inheritedGid(parentOf(directory));
    return (facts.mode & 0o2000) === 0 ? undefined : facts.gid;
  }

  /** Notes that a later line finds this pin here. */
  putPin(path: PinPath, subject: Subject): void {
    this.#entries.set(path, subject);
  }

  /** Notes that a later line finds the name free. */
  remove(path: PinPath): void {
    this.#entries.set(path, 'absent');
  }

  /** Notes that a later line finds a directory here. */
  putDirectories(paths: readonly PinPath[], gid?: number): void {
    for (const path of paths) this.#entries.set(path, { gid: gid ?? this.inheritedGid(parentOf(path)) });
    if (paths.length > 0) this.#concernsOthers = true;
  }

  /** Notes how many names a pin has that was looked at. */
  noteLinks({ links }: Pick<InodeFacts, 'links'>): void {
    if (links > 1) this.#concernsOthers = true;
  }

  #plannedAt(path: PinPath): Entry | undefined {
    const entry = this.#entries.get(path);
    if (entry !== undefined || this.#entries.size === 0) return entry;
    for (let above = parentOf(path); above !== ''; above = parentOf(above)) {
      const planned = this.#entries.get(above);
      if (planned instanceof Subject) throw notADirectory(path, above);
      if (planned !== undefined) return 'absent';
    }
    return undefined;
  }

  #isDirectory(path: PinPath): boolean {
    const planned = this.#plannedAt(path);
    if (planned === 'absent') return false;
    if (planned instanceof Subject) throw notADirectory(path, path);
    return planned !== undefined || this.directoryFacts(path) !== undefined;
  }

  #read(path: PinPath): Subject | undefined {
    try {
      const pin = holdPin(this.#site, path, this.#holds);
      if (pin === undefined) return undefined;
      const subject = Subject.of(pin.state, this.#holds.add(pin.held));
      this.#entries.set(path, subject);
      this.noteLinks(pin.state.inode);
      return subject;
    } catch (error) {
      if (isPinfoldError(error, 'pin_not_found') || isPinfoldError(error, 'parent_not_found'))
        return undefined;
      throw error;
    }
  }

  #rootFacts(): InodeFacts {
    return this.#site.kernel.bpffs.stat(this.#site.root.directory);
  }
}

function isADirectory(path: PinPath): PinfoldError {
  return new PinfoldError('is_a_directory', {
    detail: `${quote(path)} is a directory.`,
    ...pathMembers(path),
  });
}

function noDirectory(path: PinPath): PinfoldError {
  const detail = `There is no directory at ${quote(path)}.`;
  return new PinfoldError('directory_not_found', { detail, ...pathMembers(path) });
}

function notADirectory(path: PinPath, at: PinPath): PinfoldError {
  const detail = `Cannot reach ${quote(path)}: ${quote(at)} is a pin.`;
  return new PinfoldError('not_a_directory', { detail, ...pathMembers(path) });
}
