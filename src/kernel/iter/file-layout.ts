import type { Btf } from '../btf/btf.ts';
import { memberOffset } from '../btf/member-offset.ts';
import { type ContextLayout, type Field, field, idOf, learnContext } from './layout.ts';

/** Where the iterators over files and mappings find what they tell; it differs from kernel to kernel. */
export interface HeldFileLayout extends ContextLayout {
  readonly task: Field;
  readonly fd: Field;
  readonly file: Field;
  readonly taskFields: Readonly<Record<'pid' | 'tgid', Field>>;
  readonly fileFields: Readonly<Record<'operations' | 'inode' | 'privateData', Field>>;
  readonly inodeFields: Readonly<Record<'number' | 'links' | 'mode' | 'superblock', Field>>;
  readonly superblock: Readonly<Record<'magic' | 'device', Field>>;
  readonly ids: Readonly<Record<'map' | 'program' | 'link' | 'btf', Field>>;
  /** From a program to the structure with its id. */
  readonly programAux: Field;
  readonly iterator: IteratorRunLayout;
  readonly perfProgram: Field;
  readonly socket: SocketLayout;
}

/** From the seq_file of an iterator's run to its program and, over elements, its map. */
interface IteratorRunLayout {
  readonly seqPrivate: Field;
  /** From what the seq_file points to: `bpf_iter_priv_data` ends where that begins. */
  readonly program: Field;
  readonly attachBtfId: Field;
}

/** From a socket to the programs that filter it and that choose among its group. */
interface SocketLayout {
  readonly sock: Field;
  readonly filter: Field;
  readonly filterProgram: Field;
  readonly reuseport: Field;
  readonly reuseportProgram: Field;
}

/** The same of the iterator over mappings. */
export interface MappingLayout extends ContextLayout {
  readonly task: Field;
  readonly area: Field;
  readonly areaFile: Field;
}

/** @throws RangeError where this kernel has no iterator over files (before 5.8), or keeps it elsewhere */
export function learnHeldFileLayout(btf: Btf): HeldFileLayout {
  const at = (struct: string, member: string): Field => field(btf, struct, member);
  return {
    ...learnContext(btf, 'task_file'),
    task: at('bpf_iter__task_file', 'task'),
    fd: at('bpf_iter__task_file', 'fd'),
    file: at('bpf_iter__task_file', 'file'),
    taskFields: { pid: at('task_struct', 'pid'), tgid: at('task_struct', 'tgid') },
    fileFields: {
      operations: at('file', 'f_op'),
      inode: at('file', 'f_inode'),
      privateData: at('file', 'private_data'),
    },
    inodeFields: {
      number: at('inode', 'i_ino'),
      links: at('inode', 'i_nlink'),
      mode: at('inode', 'i_mode'),
      superblock: at('inode', 'i_sb'),
    },
    superblock: { magic: at('super_block', 's_magic'), device: at('super_block', 's_dev') },
    ids: {
      map: at('bpf_map', 'id'),
      program: at('bpf_prog_aux', 'id'),
      link: at('bpf_link', 'id'),
      btf: at('btf', 'id'),
    },
    programAux: at('bpf_prog', 'aux'),
    iterator: learnIteratorRun(btf),
    perfProgram: at('perf_event', 'prog'),
    socket: {
      sock: at('socket', 'sk'),
      filter: at('sock', 'sk_filter'),
      filterProgram: at('sk_filter', 'prog'),
      reuseport: at('sock', 'sk_reuseport_cb'),
      reuseportProgram: at('sock_reuseport', 'prog'),
    },
  };
}

/** @throws RangeError where this kernel has no iterator over mappings (before 5.12) */
export function learnMappingLayout(btf: Btf): MappingLayout {
  return {
    ...learnContext(btf, 'task_vma'),
    task: field(btf, 'bpf_iter__task_vma', 'task'),
    area: field(btf, 'bpf_iter__task_vma', 'vma'),
    areaFile: field(btf, 'vm_area_struct', 'vm_file'),
  };
}

/** `container_of(seq->private, struct bpf_iter_priv_data, target_private)`, kernel/bpf/bpf_iter.c. */
function learnIteratorRun(btf: Btf): IteratorRunLayout {
  const run = idOf(btf, 'struct', 'bpf_iter_priv_data');
  const program = memberOffset(btf, run, 'prog');
  const end = memberOffset(btf, run, 'target_private');
  return {
    seqPrivate: field(btf, 'seq_file', 'private'),
    program: { offset: program.offset - end.offset, size: 8 },
    attachBtfId: field(btf, 'bpf_prog_aux', 'attach_btf_id'),
  };
}
