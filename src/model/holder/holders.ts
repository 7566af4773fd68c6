import type { PinPath } from '../path.ts';
import type {
  AttachmentFact,
  Descriptor,
  FileFact,
  FilesystemFact,
  HolderFacts,
  ObjectHoldFact,
  ObjectKey,
  ProcessFact,
} from './facts.ts';

/** A pinned inode with all its names: one reference. */
export interface PinnedInode {
  readonly mount: string;
  readonly inode: number;
  readonly object: ObjectKey;
  readonly paths: readonly PinPath[];
}

/** A pin that lives on without a name, with every descriptor that keeps it: one reference. */
export interface OpenInode {
  readonly mount: string;
  readonly inode: number;
  readonly object: ObjectKey;
  readonly path: string;
  readonly descriptors: readonly Descriptor[];
}

/** Whatever holds an object with one reference. */
export type Holder =
  | { readonly by: 'pin'; readonly pin: PinnedInode }
  | { readonly by: 'inode'; readonly inode: OpenInode }
  | { readonly by: 'file'; readonly file: FileFact }
  | { readonly by: 'object'; readonly hold: ObjectHoldFact }
  | { readonly by: 'attachment'; readonly attachment: AttachmentFact };

/** `map:5`: an object as the key of a map. */
export function keyOf({ kind, id }: ObjectKey): string {
  return `${kind}:${id}`;
}

/** The facts of one reading, by what they hold. */
export class Holders {
  readonly #facts: HolderFacts;
  readonly #byObject = new Map<string, Holder[]>();
  readonly #byLink = new Map<number, AttachmentFact[]>();
  readonly #filesystems = new Map<string, FilesystemFact>();

  constructor(facts: HolderFacts) {
    this.#facts = facts;
    for (const pin of pinnedInodes(facts)) this.#add(pin.object, { by: 'pin', pin });
    for (const hold of facts.holds) this.#add(hold.held, { by: 'object', hold });
    for (const attachment of facts.attachments) this.#addAttachment(attachment);
    for (const file of facts.files) this.#add(file.object, { by: 'file', file });
    for (const inode of openInodes(facts)) this.#add(inode.object, { by: 'inode', inode });
    for (const filesystem of facts.filesystems) this.#filesystems.set(filesystem.mount, filesystem);
  }

  /** Everything that holds an object, each with one reference. */
  of(object: ObjectKey): readonly Holder[] {
    return this.#byObject.get(keyOf(object)) ?? [];
  }

  /** Where a link keeps its program, or struct_ops map, attached. */
  attachmentsOfLink(id: number): readonly AttachmentFact[] {
    return this.#byLink.get(id) ?? [];
  }

  filesystem(mount: string): FilesystemFact | undefined {
    return this.#filesystems.get(mount);
  }

  processOf(pid: number): ProcessFact | undefined {
    return this.#facts.processes.get(pid);
  }

  /** The object and every object that holds it, directly or over others; nearest first. */
  above(object: ObjectKey): readonly ObjectKey[] {
    const found = [object];
    const seen = new Set([keyOf(object)]);
    for (const one of found) {
      for (const holder of this.of(one)) {
        if (holder.by !== 'object' || seen.has(keyOf(holder.hold.holder))) continue;
        seen.add(keyOf(holder.hold.holder));
        found.push(holder.hold.holder);
      }
    }
    return found;
  }

  #add(object: ObjectKey, holder: Holder): void {
    const holders = this.#byObject.get(keyOf(object));
    if (holders === undefined) this.#byObject.set(keyOf(object), [holder]);
    else holders.push(holder);
  }

  #addAttachment(attachment: AttachmentFact): void {
    const { link, object } = attachment;
    const others = link === undefined ? undefined : this.#byLink.get(link);
    if (link === undefined) this.#add(object, { by: 'attachment', attachment });
    else if (others === undefined) this.#byLink.set(link, [attachment]);
    else others.push(attachment);
  }
}

function pinnedInodes({ pins }: HolderFacts): Iterable<PinnedInode> {
  const found = new Map<string, PinnedInode & { readonly paths: PinPath[] }>();
  for (const { mount, inode, object, path } of pins) {
    const key = `${mount}/${inode}`;
    const known = found.get(key);
    if (known === undefined) found.set(key, { mount, inode, object, paths: [path] });
    else known.paths.push(path);
  }
  return found.values();
}

/** An inode that is open several times, or that a name was found of after all, is one reference. */
function openInodes({ openInodes: opened, pins }: HolderFacts): Iterable<OpenInode> {
  if (opened.length === 0) return [];
  const named = new Set(pins.map(({ mount, inode }) => `${mount}/${inode}`));
  const found = new Map<string, OpenInode & { readonly descriptors: Descriptor[] }>();
  for (const { mount, inode, object, path, pid, fd } of opened) {
    const key = `${mount}/${inode}`;
    if (named.has(key)) continue;
    const known = found.get(key);
    if (known === undefined) found.set(key, { mount, inode, object, path, descriptors: [{ pid, fd }] });
    else known.descriptors.push({ pid, fd });
  }
  return found.values();
}
