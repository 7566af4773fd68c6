import type { ObjectKind } from '../../model/kind.ts';
import type { PinPath } from '../../model/path.ts';
import { inodeKey, isSameInode, type NamedEntry, type PinEntry } from './entry.ts';
import { MountNames } from './mount-names.ts';
import { ObjectInventory } from './objects.ts';

/** Everything that is known of this node now. */
export class Inventory {
  readonly objects = new ObjectInventory();
  readonly #mounts = new Map<string, MountNames>();
  readonly #pinsByObject = new Map<string, Set<PinEntry>>();
  /** By inode number: nearly always one, and never as many as an object may have pins. */
  readonly #pinsByInode = new Map<number, readonly PinEntry[]>();
  #revision = 0;

  /** Another number whenever a name, or what it leads to, has changed. */
  get revision(): number {
    return this.#revision;
  }

  findMount(mount: string): MountNames | undefined {
    return this.#mounts.get(mount);
  }

  mounts(): IterableIterator<MountNames> {
    return this.#mounts.values();
  }

  /** The names of an instance, empty ones where it is new. */
  openMount(mount: string, instance: string): MountNames {
    const known = this.#mounts.get(mount);
    if (known !== undefined) return known;
    const names = new MountNames(mount, instance);
    this.#revision++;
    this.#mounts.set(mount, names);
    return names;
  }

  /** Forgets an instance that is gone, with all its names. */
  dropMount(mount: string): void {
    this.#revision++;
    for (const pin of this.#mounts.get(mount)?.pinsWithin('') ?? []) this.#unlist(pin);
    this.#mounts.delete(mount);
  }

  /** Puts an entry at a name; whatever was there, and below it, is forgotten. */
  set(mount: MountNames, path: PinPath, named: NamedEntry): void {
    this.#revision++;
    const before = mount.find(path);
    if (before?.entry === 'directory' && named.entry !== 'directory') this.remove(mount, path);
    if (before?.entry === 'pin') this.#unlist(before.pin);
    mount.set(path, named);
    if (named.entry === 'pin') this.#list(named.pin);
  }

  /** Takes a name away with everything below it. */
  remove(mount: MountNames, path: PinPath): void {
    this.#revision++;
    const named = mount.find(path);
    if (named?.entry === 'pin') this.#unlist(named.pin);
    if (named?.entry === 'directory') for (const pin of mount.pinsWithin(path)) this.#unlist(pin);
    mount.remove(path);
  }

  /** The pins that hold an object, in all instances. */
  pinsOf(kind: ObjectKind, id: number): readonly PinEntry[] {
    return [...(this.#pinsByObject.get(`${kind}:${id}`) ?? [])];
  }

  /** The same one by one, for whoever needs few of what may be many. */
  walkPinsOf(kind: ObjectKind, id: number): Iterable<PinEntry> {
    return this.#pinsByObject.get(`${kind}:${id}`) ?? [];
  }

  /** The objects that have pins, each once. */
  *pinnedObjects(): Iterable<PinEntry['object']> {
    for (const pins of this.#pinsByObject.values()) {
      for (const { object } of pins) {
        yield object;
        break;
      }
    }
  }

  isPinned(kind: ObjectKind, id: number): boolean {
    return this.#pinsByObject.has(`${kind}:${id}`);
  }

  /** How many pinned inodes hold an object: the names of one inode share one reference. */
  countPinnedInodes(kind: ObjectKind, id: number): number {
    const pins = this.#pinsByObject.get(`${kind}:${id}`);
    if (pins === undefined || pins.size === 1) return pins?.size ?? 0;
    return new Set([...pins].map((pin) => `${pin.mount}/${inodeKey(pin.inode)}`)).size;
  }

  /** All names of the inode a pin is, the pin itself among them where it is listed. */
  namesOfInode({ inode, mount }: Pick<PinEntry, 'mount' | 'inode'>): readonly PinEntry[] {
    const pins = this.#pinsByInode.get(inode.inode) ?? [];
    return pins.filter((other) => isSameInode(other.inode, inode) && other.mount === mount);
  }

  /** What the inode of this number led to at the last observation. */
  objectOfInode(mount: string, inode: number): PinEntry['object'] | undefined {
    return this.#pinsByInode.get(inode)?.find((pin) => pin.mount === mount)?.object;
  }

  #list(pin: PinEntry): void {
    const key = `${pin.object.kind}:${pin.object.id}`;
    const pins = this.#pinsByObject.get(key);
    if (pins === undefined) this.#pinsByObject.set(key, new Set([pin]));
    else pins.add(pin);
    const { inode } = pin.inode;
    this.#pinsByInode.set(inode, [...(this.#pinsByInode.get(inode) ?? []), pin]);
  }

  #unlist(pin: PinEntry): void {
    const key = `${pin.object.kind}:${pin.object.id}`;
    const pins = this.#pinsByObject.get(key);
    pins?.delete(pin);
    if (pins?.size === 0) this.#pinsByObject.delete(key);
    const { inode } = pin.inode;
    const others = (this.#pinsByInode.get(inode) ?? []).filter((other) => other !== pin);
    if (others.length === 0) this.#pinsByInode.delete(inode);
    else this.#pinsByInode.set(inode, others);
  }
}
