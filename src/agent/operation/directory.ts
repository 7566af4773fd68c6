import { attempting } from '../../kernel/bpffs/refusal.ts';
import type { InodeFacts, OpenName } from '../../kernel/kernel.ts';
import { PinfoldError } from '../../model/error.ts';
import { escapeBytes, type PinPath, pathMembers } from '../../model/path.ts';
import type { Attributes, MakeDirectoryItem, RemoveDirectoryItem } from '../journal/plan.ts';
import { DirectoryMaker } from './directory-maker.ts';
import type { Move, Progress, Say } from './move.ts';
import { quote } from './sentence.ts';
import type { DirectoryChange } from './sink.ts';
import type { Site } from './site.ts';

/** A directory that shall be there. */
export interface NewDirectory {
  readonly path: PinPath;
  /** What is missing on the way, and itself where it is missing. */
  readonly directories: readonly PinPath[];
  readonly attributes: Partial<Attributes>;
  /** What it is now; null where it is missing. */
  readonly before: Attributes | null;
}

/** A directory, with those above it if they may be made; one that is there gets the permissions asked for. */
export class MakeDirectoryMove implements Move {
  readonly action = 'make_directory';
  readonly needsStaging = false;
  readonly path: PinPath;
  readonly #site: Site;
  readonly #wanted: NewDirectory;
  readonly #maker: DirectoryMaker;
  #progress: Progress = 'untouched';

  constructor(site: Site, wanted: NewDirectory) {
    this.#site = site;
    this.path = wanted.path;
    this.#wanted = wanted;
    this.#maker = new DirectoryMaker(site, wanted.directories, wanted.attributes.mode);
  }

  get progress(): Progress {
    return this.#progress;
  }

  get sentence(): string {
    const count = this.#maker.paths.length;
    if (count === 0) return 'set the permissions of the directory';
    return count === 1 ? 'make the directory' : `make the directory and ${count - 1} above it`;
  }

  item(): MakeDirectoryItem {
    const { path, directories, attributes, before } = this.#wanted;
    return { kind: 'mkdir', path, directories: [...directories], attributes, before };
  }

  arriving(): undefined {
    return undefined;
  }

  losing(): undefined {
    return undefined;
  }

  stage(): void {}

  apply(say: Say): void {
    if (this.#progress === 'retired') return;
    this.#progress = 'moved';
    this.#maker.make();
    this.#setAttributes(this.#wanted.attributes);
    say('made');
  }

  #setAttributes(wanted: Partial<Attributes>): void {
    if (Object.keys(wanted).length === 0) return;
    using open = openDirectory(this.#site, this.path);
    const inherited = open.mode & 0o2000;
    const mode = wanted.mode === undefined ? open.mode : wanted.mode | inherited;
    this.#site.setAttributes(open, { uid: open.uid, gid: open.gid, ...wanted, mode });
  }

  unlink(): void {}

  retire(): void {
    this.#progress = 'retired';
  }

  undo(): void {
    if (this.#progress === 'untouched') return;
    this.#progress = 'untouched';
    if (this.#wanted.before !== null) this.#setAttributes(this.#wanted.before);
    this.#maker.undo();
  }

  changes(): readonly DirectoryChange[] {
    return this.#maker.changes();
  }

  examine(): void {
    this.#maker.examine();
    const isThere = this.#site.inodeAtPath(this.path) !== undefined;
    this.#progress = isThere ? 'moved' : this.#maker.changes().length > 0 ? 'aside' : 'untouched';
  }

  assumeDone(): void {
    this.#progress = 'retired';
  }
}

/** The removal of a directory that is empty. */
export class RemoveDirectoryMove implements Move {
  readonly action = 'remove_directory';
  readonly needsStaging = false;
  readonly sentence = 'remove the directory';
  readonly path: PinPath;
  readonly #site: Site;
  readonly #before: Attributes;
  #progress: Progress = 'untouched';

  constructor(site: Site, path: PinPath, before: Attributes) {
    this.#site = site;
    this.path = path;
    this.#before = before;
  }

  get progress(): Progress {
    return this.#progress;
  }

  item(): RemoveDirectoryItem {
    return { kind: 'rmdir', path: this.path, before: this.#before };
  }

  arriving(): undefined {
    return undefined;
  }

  losing(): undefined {
    return undefined;
  }

  stage(): void {}

  apply(say: Say): void {
    if (this.#progress === 'retired') return;
    this.#site.at(this.path, (place) =>
      attempting({ attempt: 'remove_directory', path: this.path }, () =>
        this.#site.kernel.calls.rmdirat(place),
      ),
    );
    this.#site.forget(this.path);
    this.#progress = 'moved';
    say('removed');
  }

  unlink(): void {}

  retire(): void {
    this.#progress = 'retired';
  }

  undo(): void {
    if (this.#progress === 'untouched') return;
    this.#progress = 'untouched';
    this.#site.at(this.path, (place) =>
      attempting({ attempt: 'make_directory', path: this.path }, () =>
        this.#site.kernel.calls.mkdirat(place, 0o700),
      ),
    );
    using open = openDirectory(this.#site, this.path);
    this.#site.setAttributes(open, this.#before);
  }

  changes(): readonly DirectoryChange[] {
    if (this.#progress === 'untouched') return [];
    return [{ type: 'directory_removed', mount: this.#site.mount, path: this.path }];
  }

  examine(): void {
    this.#progress = this.#site.inodeAtPath(this.path) === undefined ? 'retired' : 'untouched';
  }

  assumeDone(): void {
    this.#progress = 'retired';
  }
}

/**
 * Opens what must be a directory, by its name. @throws PinfoldError directory_not_found, not_a_directory, …
 */
export function openDirectory(site: Site, path: PinPath): OpenName {
  return site.at(path, (place) => {
    const open = site.kernel.bpffs.openName(site.root, place);
    if (open?.type === 'directory') return open;
    using other = open;
    throw notADirectory(site, path, other);
  });
}

function notADirectory(site: Site, path: PinPath, found: OpenName | undefined): PinfoldError {
  const at = pathMembers(path);
  if (found === undefined) {
    return new PinfoldError('directory_not_found', {
      ...at,
      detail: `There is no directory at ${quote(path)}.`,
      syscall: 'openat2',
      errno: 'ENOENT',
    });
  }
  if (found.type !== 'symlink') {
    return new PinfoldError('not_a_directory', { ...at, detail: `${quote(path)} is not a directory.` });
  }
  const target = escapeBytes(site.kernel.bpffs.readLink(found));
  const detail = `${quote(path)} is a symbolic link to "${target}", and links are never followed.`;
  return new PinfoldError('symlink', { ...at, detail, symlink: escapeBytes(path), target });
}

/** The permissions among the facts of an inode. */
export function attributesOf(facts: Pick<InodeFacts, 'mode' | 'uid' | 'gid'>): Attributes {
  return { mode: facts.mode, uid: facts.uid, gid: facts.gid };
}
