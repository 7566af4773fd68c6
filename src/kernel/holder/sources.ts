import type { KernelBtf } from '../btf/kernel-btf.ts';
import type { HeldFiles } from '../iter/held-files.ts';
import type { HoldLists } from '../iter/hold-lists.ts';
import type { WorkingDirectories } from '../iter/working-directories.ts';
import type { Bpffs, Objects } from '../kernel.ts';
import type { Cgroups } from '../proc/cgroups.ts';
import type { Calls } from '../sys/calls.ts';

/** Where the facts come from. */
export interface HolderSources {
  readonly calls: Calls;
  readonly objects: Pick<Objects, 'nextId' | 'isOwn'>;
  readonly bpffs: Bpffs;
  readonly files: HeldFiles;
  readonly lists: HoldLists;
  readonly directories: WorkingDirectories;
  readonly cgroups: Cgroups;
  readonly kernelBtf: KernelBtf;
  /** False inside a pid namespace, where iterators number processes otherwise than /proc does. */
  readonly seesAllProcesses: boolean;
}
