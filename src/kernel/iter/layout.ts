import type { PinnableKind } from '../../model/kind.ts';
import type { Btf } from '../btf/btf.ts';
import { memberOffset } from '../btf/member-offset.ts';
import { isWidth, type Width } from './instruction.ts';

/** One load: where from a pointer, and how wide. */
export interface Field {
  readonly offset: number;
  readonly size: Width;
}

/** Where this kernel keeps what an iterator program reads; it differs from kernel to kernel. */
export interface Layout {
  /** BTF id of the function that BPF_PROG_LOAD attaches to. */
  readonly functionId: number;
  /** From the context to `struct bpf_iter_meta`, and from there to the seq_file. */
  readonly meta: Field;
  readonly seq: Field;
  /** Pointers to follow from the context to the structure with the counters. */
  readonly path: readonly Field[];
  readonly id: Field;
  readonly counters: readonly Field[];
}

/** Names of include/linux/bpf.h: what kernel/bpf/{map,prog,link}_iter.c hand to a program. */
const sources = {
  map: { target: 'bpf_map', path: [['bpf_iter__bpf_map', 'map']], holder: 'bpf_map' },
  program: {
    target: 'bpf_prog',
    path: [
      ['bpf_iter__bpf_prog', 'prog'],
      ['bpf_prog', 'aux'],
    ],
    holder: 'bpf_prog_aux',
  },
  link: { target: 'bpf_link', path: [['bpf_iter__bpf_link', 'link']], holder: 'bpf_link' },
} as const satisfies Record<PinnableKind, unknown>;

/** `usercnt`, which counts open files and pinned inodes, is something only maps have. */
const counterNames = {
  map: ['refcnt.counter', 'usercnt.counter'],
  program: ['refcnt.counter'],
  link: ['refcnt.counter'],
} as const satisfies Record<PinnableKind, readonly string[]>;

/**
 * Learns from vmlinux BTF where the running kernel keeps the counters of a kind.
 *
 * @throws RangeError where this kernel has no iterator of the kind (before 5.8 for maps, 5.9 programs, 5.19
 * links)
 */
export function learnLayout(btf: Btf, kind: PinnableKind): Layout {
  const { target, path, holder } = sources[kind];
  const field = (struct: string, member: string): Field => {
    const { offset, size } = memberOffset(btf, idOf(btf, 'struct', struct), member);
    if (!isWidth(size))
      throw new RangeError(`member ${member} of struct ${struct} is ${size} bytes wide here`);
    return { offset, size };
  };
  return {
    functionId: idOf(btf, 'func', `bpf_iter_${target}`),
    meta: field(`bpf_iter__${target}`, 'meta'),
    seq: field('bpf_iter_meta', 'seq'),
    path: path.map(([struct, member]) => field(struct, member)),
    id: field(holder, 'id'),
    counters: counterNames[kind].map((name) => field(holder, name)),
  };
}

function idOf(btf: Btf, kind: 'struct' | 'func', name: string): number {
  const id = btf.find(kind, name);
  if (id === undefined)
    throw new RangeError(`this kernel has no ${kind === 'func' ? 'function' : kind} ${name}`);
  return id;
}
