import type { PinnableKind } from '../../model/kind.ts';
import type { Btf } from '../btf/btf.ts';
import { memberOffset } from '../btf/member-offset.ts';
import { isWidth, type Width } from './instruction.ts';

/** One load: where from a pointer, and how wide. */
export interface Field {
  readonly offset: number;
  readonly size: Width;
}

/** What the context of every iterator has: the way to the seq_file that records are written to. */
export interface ContextLayout {
  /** BTF id of the function that BPF_PROG_LOAD attaches to. */
  readonly functionId: number;
  readonly meta: Field;
  readonly seq: Field;
}

/** Where this kernel keeps what an iterator over objects reads; it differs from kernel to kernel. */
export interface ListLayout extends ContextLayout {
  /** From the context to the object, and further pointers to the structure with the counters. */
  readonly object: Field;
  readonly further: readonly Field[];
  readonly id: Field;
  readonly counters: readonly Field[];
}

/** The same of the iterator over files. */
export interface FileLayout extends ContextLayout {
  readonly fd: Field;
  readonly file: Field;
  readonly privateData: Field;
}

/** The same of what maps were made with; `inner` is within the map that `innerMeta` points to. */
export interface DetailsLayout extends ContextLayout {
  readonly object: Field;
  readonly id: Field;
  readonly frozen: Field;
  readonly numaNode: Field;
  readonly innerMeta: Field;
  readonly inner: Readonly<Record<'type' | 'keySize' | 'valueSize' | 'maxEntries' | 'flags', Field>>;
}

/** The same of what programs were loaded with. */
export interface ProgramDetailsLayout extends ContextLayout {
  readonly object: Field;
  readonly aux: Field;
  readonly id: Field;
  readonly expectedAttachType: Field;
}

/** Names of include/linux/bpf.h: what kernel/bpf/{map,prog,link}_iter.c hand to a program. */
const sources = {
  map: { target: 'bpf_map', object: 'map', further: [], holder: 'bpf_map' },
  program: { target: 'bpf_prog', object: 'prog', further: [['bpf_prog', 'aux']], holder: 'bpf_prog_aux' },
  link: { target: 'bpf_link', object: 'link', further: [], holder: 'bpf_link' },
} as const;

/** `writecnt` was a plain number before Linux 5.16 made it atomic64_t; a load of its place reads both. */
const counterNames = {
  map: ['refcnt.counter', 'usercnt.counter', 'writecnt'],
  program: ['refcnt.counter'],
  link: ['refcnt.counter'],
} as const;

/**
 * Learns from vmlinux BTF where the running kernel keeps the counters of a kind.
 *
 * @throws RangeError where this kernel has no iterator of the kind (before 5.8 for maps, 5.9 for programs,
 * 5.19 for links)
 */
export function learnListLayout(btf: Btf, kind: PinnableKind): ListLayout {
  const { target, object, further, holder } = sources[kind];
  return {
    ...learnContext(btf, target),
    object: field(btf, `bpf_iter__${target}`, object),
    further: further.map(([struct, member]) => field(btf, struct, member)),
    id: field(btf, holder, 'id'),
    counters: counterNames[kind].map((name) => field(btf, holder, name)),
  };
}

/** The same for what maps were made with. @throws RangeError where this kernel keeps it elsewhere */
export function learnDetailsLayout(btf: Btf): DetailsLayout {
  const member = (name: string): Field => field(btf, 'bpf_map', name);
  return {
    ...learnContext(btf, 'bpf_map'),
    object: field(btf, 'bpf_iter__bpf_map', 'map'),
    id: member('id'),
    frozen: member('frozen'),
    numaNode: member('numa_node'),
    innerMeta: member('inner_map_meta'),
    inner: {
      type: member('map_type'),
      keySize: member('key_size'),
      valueSize: member('value_size'),
      maxEntries: member('max_entries'),
      flags: member('map_flags'),
    },
  };
}

/** The same for what programs were loaded with. @throws RangeError */
export function learnProgramDetailsLayout(btf: Btf): ProgramDetailsLayout {
  return {
    ...learnContext(btf, 'bpf_prog'),
    object: field(btf, 'bpf_iter__bpf_prog', 'prog'),
    aux: field(btf, 'bpf_prog', 'aux'),
    id: field(btf, 'bpf_prog_aux', 'id'),
    expectedAttachType: field(btf, 'bpf_prog', 'expected_attach_type'),
  };
}

/** The same for files. @throws RangeError where this kernel has no iterator over them (before 5.8) */
export function learnFileLayout(btf: Btf): FileLayout {
  return {
    ...learnContext(btf, 'task_file'),
    fd: field(btf, 'bpf_iter__task_file', 'fd'),
    file: field(btf, 'bpf_iter__task_file', 'file'),
    privateData: field(btf, 'file', 'private_data'),
  };
}

/** @throws RangeError where this kernel has no iterator over the target */
export function learnContext(btf: Btf, target: string): ContextLayout {
  return {
    functionId: idOf(btf, 'func', `bpf_iter_${target}`),
    meta: field(btf, `bpf_iter__${target}`, 'meta'),
    seq: field(btf, 'bpf_iter_meta', 'seq'),
  };
}

/** Where a member is, to be loaded at once. @throws RangeError where there is none, or none so wide */
export function field(btf: Btf, struct: string, member: string): Field {
  const { offset, size } = memberOffset(btf, idOf(btf, 'struct', struct), member);
  if (!isWidth(size)) throw new RangeError(`member ${member} of struct ${struct} is ${size} bytes wide here`);
  return { offset, size };
}

/** The BTF id of a structure or function. @throws RangeError where this kernel has none */
export function idOf(btf: Btf, kind: 'struct' | 'func', name: string): number {
  const id = btf.find(kind, name);
  if (id === undefined)
    throw new RangeError(`this kernel has no ${kind === 'func' ? 'function' : kind} ${name}`);
  return id;
}
