import type { Btf } from '../btf/btf.ts';
import type { KernelBtf } from '../btf/kernel-btf.ts';
import type { Calls } from '../sys/calls.ts';
import { enter, leave } from './emit.ts';
import { assemble, jump, jumpIfWordEqual, load, storeWordOnStack } from './instruction.ts';
import { Iterator } from './iterator.ts';
import { type ContextLayout, type Field, field, learnContext } from './layout.ts';
import type { OwnObjects } from './own.ts';
import { whyNoIterator } from './why-not.ts';

/** A thread that stands in a directory of a bpffs. */
export interface Standing {
  readonly pid: number;
  readonly tid: number;
  /** `major:minor`. */
  readonly device: string;
}

/** BPF_FS_MAGIC of include/uapi/linux/magic.h, as a jump compares it. */
const bpfFsMagic = 0xcafe4a11 | 0;

const record = { size: 16, pid: 0, tid: 4, device: 8, rest: 12 } as const;

/** Where this kernel keeps it. */
interface WorkingDirectoryLayout extends ContextLayout {
  readonly task: Field;
  readonly pid: Field;
  readonly tid: Field;
  readonly fs: Field;
  readonly entry: Field;
  readonly superblock: Field;
  readonly magic: Field;
  readonly device: Field;
}

/**
 * Who has a working directory in a bpffs: that keeps an instance that is mounted nowhere, and no descriptor
 * tells of it. One pass over all threads of this pid namespace, looked at inside the kernel.
 */
export class WorkingDirectories implements Disposable {
  readonly unavailable: string | undefined;
  readonly #iterator: Iterator | undefined;

  constructor(calls: Calls, kernel: KernelBtf, own: OwnObjects) {
    try {
      if ('missing' in kernel) throw new RangeError(kernel.missing);
      const layout = learnLayout(kernel.btf);
      const instructions = programOf(layout);
      const { functionId } = layout;
      this.#iterator = new Iterator({ name: 'pinfold_cwd', functionId, instructions }, calls);
      own.add('program', this.#iterator.programId);
      own.add('link', this.#iterator.linkId);
    } catch (error) {
      this.unavailable = whyNoIterator(error, 'iterators over tasks need Linux 5.8');
    }
  }

  /** @throws SystemCallError; a RangeError where `unavailable` says why */
  readAll(): readonly Standing[] {
    if (this.#iterator === undefined) throw new RangeError(this.unavailable);
    const bytes = this.#iterator.readAll();
    return Array.from({ length: bytes.length / record.size }, (_, index) => {
      const u32 = (member: number): number => bytes.readUInt32LE(index * record.size + member);
      // The kernel's own dev_t: MINORBITS of include/linux/kdev_t.h.
      const device = `${u32(record.device) >>> 20}:${u32(record.device) & 0xfffff}`;
      return { pid: u32(record.pid), tid: u32(record.tid), device };
    });
  }

  [Symbol.dispose](): void {
    this.#iterator?.[Symbol.dispose]();
  }
}

/** @throws RangeError where this kernel keeps it elsewhere */
function learnLayout(btf: Btf): WorkingDirectoryLayout {
  return {
    ...learnContext(btf, 'task'),
    task: field(btf, 'bpf_iter__task', 'task'),
    pid: field(btf, 'task_struct', 'tgid'),
    tid: field(btf, 'task_struct', 'pid'),
    fs: field(btf, 'task_struct', 'fs'),
    entry: field(btf, 'fs_struct', 'pwd.dentry'),
    superblock: field(btf, 'dentry', 'd_sb'),
    magic: field(btf, 'super_block', 's_magic'),
    device: field(btf, 'super_block', 's_dev'),
  };
}

/** A pointer that is NULL on the way gives 0, which is no file system's magic number. */
function programOf(layout: WorkingDirectoryLayout): Buffer {
  const at = (member: number): number => member - record.size;
  return assemble([
    ...enter(layout, layout.task),
    load(8, 6, layout.fs),
    load(8, 8, layout.entry),
    load(8, 8, layout.superblock),
    load(0, 8, layout.magic),
    jumpIfWordEqual(0, bpfFsMagic, 'standing'),
    jump('done'),
    { label: 'standing' },
    load(0, 8, layout.device),
    storeWordOnStack(at(record.device), 0),
    storeWordOnStack(at(record.rest), 0),
    load(0, 6, layout.pid),
    storeWordOnStack(at(record.pid), 0),
    load(0, 6, layout.tid),
    storeWordOnStack(at(record.tid), 0),
    ...leave(record.size),
  ]);
}
