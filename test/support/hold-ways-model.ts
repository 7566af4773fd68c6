import type { PinnableKind } from '../../src/model/kind.ts';

/** How often an object is held, by sort; what the kernel must count and we must show. */
export interface Expected {
  readonly kind: PinnableKind;
  readonly id: number;
  readonly refcnt: number;
  readonly usercnt: number | undefined;
  readonly pins: number;
  readonly fds: number;
  readonly programs: number;
  readonly maps: number;
  readonly links: number;
}

interface Thing {
  readonly kind: PinnableKind;
  readonly id: number;
  readonly type: string;
}

/** An open file on an object, or an open inode of a pin; alive while a descriptor leads to it. */
interface Opened {
  readonly thing: Thing;
  readonly inode: Inode | undefined;
  descriptors: number;
}

interface Inode {
  readonly thing: Thing;
  readonly names: Set<string>;
  opens: number;
}

interface Hold {
  readonly holder: Thing;
  readonly held: Thing;
  readonly how: 'uses' | 'slot' | 'runs';
  readonly slot?: number;
}

/** What a descriptor of a process is on, by process and its number there. */
type Descriptor = `${number}/${number}`;

/**
 * Who holds what, as it must be after each step: written from the kernel's rules alone, sharing nothing with
 * the code under test.
 */
export class HoldModel {
  readonly #things = new Map<string, Thing>();
  readonly #descriptors = new Map<Descriptor, Opened>();
  readonly #names = new Map<string, Inode>();
  readonly #inodes = new Set<Inode>();
  #holds: Hold[] = [];

  /** A new object with its first descriptor. */
  create(thing: Thing, at: Descriptor): void {
    this.#things.set(keyOf(thing), thing);
    this.open(thing, at);
  }

  hold(hold: Hold): void {
    this.#holds = this.#holds.filter(
      ({ holder, how, slot }) => !(how === 'slot' && holder === hold.holder && slot === hold.slot),
    );
    this.#holds.push(hold);
  }

  /** A new open file. */
  open(thing: Thing, at: Descriptor): void {
    this.#descriptors.set(at, { thing, inode: undefined, descriptors: 1 });
  }

  /** The inode behind a name, opened without opening the object. */
  openInode(name: string, at: Descriptor): void {
    const inode = this.#inode(name);
    inode.opens++;
    this.#descriptors.set(at, { thing: inode.thing, inode, descriptors: 1 });
  }

  duplicate(from: Descriptor, to: Descriptor): void {
    const opened = this.#opened(from);
    opened.descriptors++;
    this.#descriptors.set(to, opened);
  }

  close(at: Descriptor): void {
    const opened = this.#opened(at);
    this.#descriptors.delete(at);
    opened.descriptors--;
    if (opened.descriptors === 0 && opened.inode !== undefined) opened.inode.opens--;
  }

  /** Everything a process had, as exec and its end do. */
  closeAll(process: number): void {
    for (const at of this.descriptorsOf(process)) this.close(at);
  }

  pin(at: Descriptor, name: string): void {
    const inode: Inode = { thing: this.#opened(at).thing, names: new Set([name]), opens: 0 };
    this.#inodes.add(inode);
    this.#names.set(name, inode);
  }

  link(name: string, other: string): void {
    const inode = this.#inode(name);
    inode.names.add(other);
    this.#names.set(other, inode);
  }

  unlink(name: string): void {
    this.#inode(name).names.delete(name);
    this.#names.delete(name);
  }

  descriptorsOf(process: number): readonly Descriptor[] {
    return [...this.#descriptors.keys()].filter((at) => at.startsWith(`${process}/`));
  }

  /** What a descriptor is on; undefined where it is only on an inode. */
  objectAt(at: Descriptor): Thing | undefined {
    const opened = this.#opened(at);
    return opened.inode === undefined ? opened.thing : undefined;
  }

  names(): readonly string[] {
    return [...this.#names.keys()];
  }

  thingBehind(name: string): Thing {
    return this.#inode(name).thing;
  }

  things(): readonly Thing[] {
    return [...this.#things.values()];
  }

  /** Frees what nothing holds any longer, as often as that frees something else; answers what was freed. */
  settle(): readonly Thing[] {
    const freed: Thing[] = [];
    for (const inode of this.#inodes) if (inode.names.size + inode.opens === 0) this.#inodes.delete(inode);
    while (this.#freeSome(freed));
    return freed;
  }

  #freeSome(freed: Thing[]): boolean {
    const count = freed.length;
    const isEmptied = (map: Thing): boolean => map.type === 'prog_array' && this.#users(map) === 0;
    this.#holds = this.#holds.filter(({ holder, how }) => how !== 'slot' || !isEmptied(holder));
    for (const thing of this.things()) {
      if (this.expectedOf(thing).refcnt > 0) continue;
      this.#things.delete(keyOf(thing));
      this.#holds = this.#holds.filter(({ holder }) => holder !== thing);
      freed.push(thing);
    }
    return freed.length > count;
  }

  expectedOf(thing: Thing): Expected {
    const { kind, id } = thing;
    const holders = this.#holds.filter(({ held }) => held === thing);
    const count = (wanted: PinnableKind): number =>
      holders.filter(({ holder }) => holder.kind === wanted).length;
    const inodes = [...this.#inodes].filter(
      (inode) => inode.thing === thing && inode.names.size + inode.opens > 0,
    );
    const pins = inodes.filter(({ names }) => names.size > 0).length;
    return {
      kind,
      id,
      refcnt: this.#users(thing) + holders.length,
      usercnt: kind === 'map' ? this.#users(thing) : undefined,
      pins,
      fds: this.#users(thing) - pins,
      programs: count('program'),
      maps: count('map'),
      links: count('link'),
    };
  }

  /** Open files and inodes. */
  #users(thing: Thing): number {
    const files = new Set([...this.#descriptors.values()].filter(({ inode }) => inode === undefined));
    const inodes = [...this.#inodes].filter(({ names, opens }) => names.size + opens > 0);
    return [...files, ...inodes].filter((one) => one.thing === thing).length;
  }

  #opened(at: Descriptor): Opened {
    const opened = this.#descriptors.get(at);
    if (opened === undefined) throw new Error(`the model has no descriptor ${at}`);
    return opened;
  }

  #inode(name: string): Inode {
    const inode = this.#names.get(name);
    if (inode === undefined) throw new Error(`the model has no name ${name}`);
    return inode;
  }
}

function keyOf({ kind, id }: Thing): string {
  return `${kind}:${id}`;
}
