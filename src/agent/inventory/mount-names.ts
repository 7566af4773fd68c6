import { joinPath, nameOf, type PinPath, parentOf } from '../../model/path.ts';
import type { NamedEntry, PinEntry } from './entry.ts';
import { compareBytes, SortedList } from './sorted-list.ts';

/** A directory of an instance; `''` is its root. */
export type DirectoryPath = PinPath | '';

/**
 * All names of one instance, by directory; the staging directory and the kernel's own debug pins are not
 * among them.
 */
export class MountNames {
  /** `major:minor`. */
  readonly mount: string;
  /** `BpffsRoot.instance` at the last look; the marker in it appears with the first operation. */
  instance: string;
  readonly pinPaths = new SortedList<PinPath>(compareBytes);
  readonly paths = new SortedList<PinPath>(compareBytes);
  readonly #named = new Map<PinPath, NamedEntry>();
  readonly #directories = new Map<DirectoryPath, Map<string, NamedEntry>>([['', new Map()]]);

  constructor(mount: string, instance: string) {
    this.mount = mount;
    this.instance = instance;
  }

  find(path: PinPath): NamedEntry | undefined {
    return this.#named.get(path);
  }

  findPin(path: PinPath): PinEntry | undefined {
    const found = this.find(path);
    return found?.entry === 'pin' ? found.pin : undefined;
  }

  /** The names in a directory; empty where it is not known. */
  entriesIn(directory: DirectoryPath): ReadonlyMap<string, NamedEntry> {
    return this.#directories.get(directory) ?? new Map();
  }

  /** Every directory that is known, the root first, parents before what is in them. */
  directories(): DirectoryPath[] {
    return [...this.#directories.keys()];
  }

  has(directory: DirectoryPath): boolean {
    return this.#directories.has(directory);
  }

  /** Every pin in a directory and below it. */
  pinsWithin(directory: DirectoryPath): PinEntry[] {
    const pins: PinEntry[] = [];
    for (const [name, named] of this.entriesIn(directory)) {
      if (named.entry === 'pin') pins.push(named.pin);
      if (named.entry === 'directory') pins.push(...this.pinsWithin(joinPath(directory, name)));
    }
    return pins;
  }

  /** Puts an entry at a name; a directory that was there must have been removed before. */
  set(path: PinPath, named: NamedEntry): void {
    const before = this.find(path);
    const siblings = this.#directories.get(parentOf(path));
    if (siblings === undefined) this.#directories.set(parentOf(path), new Map([[nameOf(path), named]]));
    else siblings.set(nameOf(path), named);
    if (named.entry === 'directory' && !this.#directories.has(path)) this.#directories.set(path, new Map());
    this.#named.set(path, named);
    if (before === undefined) this.paths.add(path);
    if (named.entry === 'pin' && before?.entry !== 'pin') this.pinPaths.add(path);
    if (named.entry !== 'pin' && before?.entry === 'pin') this.pinPaths.remove(path);
  }

  /** Takes a name away, and everything below it where it is a directory. */
  remove(path: PinPath): void {
    for (const name of this.entriesIn(path).keys()) this.remove(joinPath(path, name));
    this.#directories.delete(path);
    this.#directories.get(parentOf(path))?.delete(nameOf(path));
    this.#named.delete(path);
    this.paths.remove(path);
    this.pinPaths.remove(path);
  }
}
