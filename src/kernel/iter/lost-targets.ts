import type { Btf } from '../btf/btf.ts';
import type { KernelBtf } from '../btf/kernel-btf.ts';
import { memberOffset } from '../btf/member-offset.ts';
import { typeNumber } from '../object/names.ts';
import type { Calls } from '../sys/calls.ts';
import { enter, leave, probeRead } from './emit.ts';
import {
  assemble,
  jump,
  jumpIfEqual,
  jumpIfWordEqual,
  type Line,
  load,
  storeOnStack,
} from './instruction.ts';
import { Iterator } from './iterator.ts';
import { type ContextLayout, type Field, field, learnContext } from './layout.ts';
import type { OwnObjects } from './own.ts';
import { whyNoIterator } from './why-not.ts';

/** Which links have lost what they were attached to. */
export interface LostTargets {
  /** Why that cannot be read, ending a sentence; undefined where it can. */
  readonly unavailable: string | undefined;
  /** Their ids, in one pass that opens none of them. @throws a RangeError where `unavailable` says why */
  readAll(): readonly number[];
}

/**
 * The structures of links that begin with their struct bpf_link, by type, and the pointer in each that the
 * kernel sets to NULL when the target goes (kernel/bpf/{cgroup,net_namespace,tcx,bpf_struct_ops}.c,
 * net/core/{dev,sock_map}.c, drivers/net/netkit.c). Those that a kernel does not have are left out.
 */
const targetMembers = {
  cgroup: ['bpf_cgroup_link', 'cgroup'],
  netns: ['bpf_netns_link', 'net'],
  xdp: ['bpf_xdp_link', 'dev'],
  struct_ops: ['bpf_struct_ops_link', 'map'],
  tcx: ['tcx_link', 'dev'],
  netkit: ['netkit_link', 'dev'],
  sockmap: ['sockmap_link', 'map'],
} as const satisfies Record<string, readonly [struct: string, member: string]>;

const RECORD_SIZE = 16;

/** Where this kernel keeps it. */
interface TargetLayout extends ContextLayout {
  readonly link: Field;
  readonly id: Field;
  readonly type: Field;
  readonly targets: readonly { readonly type: number; readonly at: Field }[];
}

/** The same through an iterator of ours. Its link stays open, on nothing but its own program. */
export class IteratorLostTargets implements LostTargets, Disposable {
  readonly unavailable: string | undefined;
  readonly #iterator: Iterator | undefined;

  constructor(calls: Calls, kernel: KernelBtf, own: OwnObjects) {
    try {
      if ('missing' in kernel) throw new RangeError(kernel.missing);
      const layout = learnTargets(kernel.btf);
      const instructions = lostTargetsProgram(layout);
      const { functionId } = layout;
      this.#iterator = new Iterator({ name: 'pinfold_lost', functionId, instructions }, calls);
      own.add('program', this.#iterator.programId);
      own.add('link', this.#iterator.linkId);
    } catch (error) {
      this.unavailable = whyNoIterator(error, 'iterators over links need Linux 5.19');
    }
  }

  readAll(): readonly number[] {
    if (this.#iterator === undefined) throw new RangeError(this.unavailable);
    const bytes = this.#iterator.readAll();
    return Array.from({ length: bytes.length / RECORD_SIZE }, (_, index) =>
      bytes.readUInt32LE(index * RECORD_SIZE),
    );
  }

  [Symbol.dispose](): void {
    this.#iterator?.[Symbol.dispose]();
  }
}

/** @throws RangeError where this kernel keeps it elsewhere */
function learnTargets(btf: Btf): TargetLayout {
  return {
    ...learnContext(btf, 'bpf_link'),
    link: field(btf, 'bpf_iter__bpf_link', 'link'),
    id: field(btf, 'bpf_link', 'id'),
    type: field(btf, 'bpf_link', 'type'),
    targets: Object.entries(targetMembers).flatMap(([type, [struct, member]]) => {
      const id = btf.find('struct', struct);
      if (id === undefined || memberOffset(btf, id, 'link').offset !== 0) return [];
      return [{ type: typeNumber('link', type), at: field(btf, struct, member) }];
    }),
  };
}

/** Writes the id of every link whose type has a target that can go, and whose target is NULL. */
function lostTargetsProgram(layout: TargetLayout): Buffer {
  const target = -RECORD_SIZE + 8;
  return assemble([
    ...enter(layout, layout.link),
    load(8, 6, layout.id),
    storeOnStack(-RECORD_SIZE, 8),
    load(8, 6, layout.type),
    ...layout.targets.map(({ type }) => jumpIfWordEqual(8, type, `type ${type}`)),
    jump('done'),
    ...layout.targets.flatMap(({ type, at }): readonly Line[] => [
      { label: `type ${type}` },
      ...probeRead({ slot: target, from: 6, at }),
      jump('judge'),
    ]),
    { label: 'judge' },
    load(0, 10, { offset: target, size: 8 }),
    jumpIfEqual(0, 0, 'write'),
    jump('done'),
    { label: 'write' },
    ...leave(RECORD_SIZE),
  ]);
}
