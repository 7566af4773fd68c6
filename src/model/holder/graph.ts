import { limits } from '../limits.ts';
import { pathMembers, textOf } from '../path.ts';
import type { HolderAttachment, HolderEdge, HolderNode } from '../schema/holder.ts';
import { type CgroupOwner, ownerOfCgroup } from './cgroup.ts';
import type { AttachmentFact, Descriptor, FileFact, ObjectKey } from './facts.ts';
import { type Holder, type Holders, keyOf, type OpenInode, type PinnedInode } from './holders.ts';
import { attachmentWords, type LabelOf } from './words.ts';

/** Who holds an object, over other objects too, as nodes and edges. */
export interface Graph {
  readonly nodes: readonly HolderNode[];
  readonly edges: readonly HolderEdge[];
  /** Nodes that `limits.holderNodesMax` left no room for; edges to them are left out too. */
  readonly leftOut: number;
  /** Edges between nodes that are shown, for which `limits.holderEdgesMax` left no room. */
  readonly edgesLeftOut: number;
}

/** Draws the graph above an object, itself first, nearest holders first. */
export function graphAbove(holders: Holders, labelOf: LabelOf, object: ObjectKey): Graph {
  const drawing = new Drawing(holders, labelOf);
  for (const one of holders.above(object)) drawing.addObject(one);
  return drawing.graph();
}

/** Adds nodes once each; files and places get numbers, for what names them inside is nobody's business. */
class Drawing {
  readonly #holders: Holders;
  readonly #labelOf: LabelOf;
  readonly #nodes = new Map<string, HolderNode>();
  readonly #edges: HolderEdge[] = [];
  readonly #numbers = new Map<unknown, number>();
  #leftOut = 0;

  constructor(holders: Holders, labelOf: LabelOf) {
    this.#holders = holders;
    this.#labelOf = labelOf;
  }

  /** An object with everything that holds it. */
  addObject(object: ObjectKey): void {
    const key = keyOf(object);
    const attached = object.kind === 'link' ? this.#holders.attachmentsOfLink(object.id) : [];
    this.#node({
      node: 'object',
      key,
      kind: object.kind,
      id: object.id,
      ...this.#labelOf(object),
      ...(attached.length === 0 ? {} : { attached_to: attached.map(attachmentDocument) }),
    });
    for (const holder of this.#holders.of(object)) this.#edge(this.#edgeFrom(holder, key));
  }

  graph(): Graph {
    const all = this.#edges.filter(({ holder, held }) => this.#nodes.has(holder) && this.#nodes.has(held));
    const edges = all.slice(0, limits.holderEdgesMax);
    const edgesLeftOut = all.length - edges.length;
    return { nodes: [...this.#nodes.values()], edges, leftOut: this.#leftOut, edgesLeftOut };
  }

  #edgeFrom(holder: Holder, held: string): HolderEdge {
    switch (holder.by) {
      case 'pin':
        return { holder: this.#pin(holder.pin), held, hold: 'pin' };
      case 'inode':
        return { holder: this.#openInode(holder.inode), held, hold: 'pin' };
      case 'file':
        return { holder: this.#file(holder.file), held, hold: 'open' };
      case 'attachment':
        return { holder: this.#attachment(holder.attachment), held, hold: 'attached' };
      case 'object': {
        const { holder: above, hold, key } = holder.hold;
        return { holder: keyOf(above), held, hold, ...(key === undefined ? {} : { slot: key }) };
      }
    }
  }

  #pin({ mount, inode, paths }: PinnedInode): string {
    const key = `pin:${mount}/${inode}`;
    const names = listed(paths).map(pathMembers);
    this.#node({ node: 'pin', key, mount, inode, names, ...leftOutOf(paths) });
    this.#filesystem(mount, key);
    return key;
  }

  #openInode({ mount, inode, path, descriptors }: OpenInode): string {
    const key = `open:${mount}/${inode}`;
    this.#node({
      node: 'open_inode',
      key,
      mount,
      inode,
      path: textOf(path),
      descriptors: listed(descriptors),
      ...leftOutOf(descriptors),
    });
    this.#processes(descriptors, key, 'open');
    return key;
  }

  #file(file: FileFact): string {
    const key = `file:${this.#number(file.file)}`;
    const mappedBy = file.mappings.map(({ pid }) => pid);
    this.#node({
      node: 'file',
      key,
      through: file.through,
      descriptors: listed(file.descriptors),
      mapped_by: listed(mappedBy),
      ...leftOutOf(file.descriptors, mappedBy),
    });
    this.#processes(file.descriptors, key, 'open');
    this.#processes(file.mappings, key, 'mapped');
    return key;
  }

  #attachment(attachment: AttachmentFact): string {
    const key = `attachment:${this.#number(attachment)}`;
    this.#node({ node: 'attachment', key, ...attachmentDocument(attachment) });
    if (attachment.event !== undefined) this.#processes([attachment.event], key, 'keeps');
    return key;
  }

  #filesystem(mount: string, held: string): void {
    const filesystem = this.#holders.filesystem(mount);
    if (filesystem === undefined) return;
    const { state, paths, descriptors, standing = [] } = filesystem;
    const key = `filesystem:${mount}`;
    this.#node({
      node: 'filesystem',
      key,
      mount,
      state,
      paths: listed(paths).map(({ path, boundAt, ...where }) => ({
        path: textOf(path),
        ...where,
        ...(boundAt === undefined ? {} : { bound_at: textOf(boundAt) }),
      })),
      descriptors: listed(descriptors),
      ...(standing.length === 0 ? {} : { working_directories: listed(standing) }),
      ...leftOutOf(paths, descriptors, standing),
    });
    this.#processes([...descriptors, ...standing.map((pid) => ({ pid }))], key, 'keeps');
    this.#edge({ holder: key, held, hold: 'keeps' });
  }

  #processes(
    members: readonly (Descriptor | { readonly pid: number })[],
    held: string,
    hold: HolderEdge['hold'],
  ): void {
    for (const pid of new Set(members.map((member) => member.pid))) {
      const fact = this.#holders.processOf(pid);
      if (fact === undefined) continue;
      const key = `process:${pid}`;
      const { startTime, comm, cgroup } = fact;
      this.#node({
        node: 'process',
        key,
        pid,
        start_time: startTime,
        comm: textOf(comm),
        cgroup: textOf(cgroup),
        ...ownerText(cgroup),
      });
      this.#edge({ holder: key, held, hold });
    }
  }

  #node(node: HolderNode): void {
    if (this.#nodes.has(node.key)) return;
    if (this.#nodes.size < limits.holderNodesMax) this.#nodes.set(node.key, node);
    else this.#leftOut++;
  }

  /** A filesystem keeps each of its pins once, a process each of its files once. */
  #edge(edge: HolderEdge): void {
    const isMany = edge.holder.startsWith('filesystem:') || edge.holder.startsWith('process:');
    if (isMany && !this.#isNew(`${edge.holder} ${edge.held} ${edge.hold}`)) return;
    this.#edges.push(edge);
  }

  #isNew(thing: string): boolean {
    const isNew = !this.#numbers.has(thing);
    if (isNew) this.#numbers.set(thing, 0);
    return isNew;
  }

  #number(thing: unknown): number {
    const number = this.#numbers.get(thing) ?? this.#numbers.size + 1;
    this.#numbers.set(thing, number);
    return number;
  }
}

/** Whom a control group names, as text. */
function ownerText(cgroup: string): CgroupOwner {
  return Object.fromEntries(
    Object.entries(ownerOfCgroup(cgroup)).map(([trait, bytes]) => [trait, textOf(String(bytes))]),
  );
}

/** As much of a list as one node shows. */
function listed<Item>(items: readonly Item[]): Item[] {
  return items.slice(0, limits.holderMembersMax);
}

function leftOutOf(...lists: readonly (readonly unknown[])[]): { readonly left_out?: number } {
  const left = lists.reduce((sum, list) => sum + Math.max(0, list.length - limits.holderMembersMax), 0);
  return left === 0 ? {} : { left_out: left };
}

/** A place as documents show it. */
export function attachmentDocument(attachment: AttachmentFact): HolderAttachment {
  const { kind, attachType, netns, device, cgroup, map, event, filter, flags } = attachment;
  return {
    kind,
    text: attachmentWords(attachment),
    ...(attachType === undefined ? {} : { attach_type: attachType }),
    ...(netns === undefined ? {} : { netns }),
    ...(device === undefined ? {} : { device: withText(device, 'name') }),
    ...(cgroup === undefined ? {} : { cgroup: withText(cgroup, 'path') }),
    ...(map === undefined ? {} : { map_id: map }),
    ...(event === undefined ? {} : { event }),
    ...(filter === undefined ? {} : { filter: textOf(filter) }),
    ...(flags === undefined ? {} : { flags: [...flags] }),
  };
}

/** The same with a byte string as text, where it has that member. */
function withText<Fact extends { readonly [Name in Member]?: string }, Member extends string>(
  fact: Fact,
  member: Member,
): Fact {
  const bytes = fact[member];
  return bytes === undefined ? fact : { ...fact, [member]: textOf(bytes) };
}
