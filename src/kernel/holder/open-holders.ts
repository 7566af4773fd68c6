import type { KernelBtf } from '../btf/kernel-btf.ts';
import { HeldFiles } from '../iter/held-files.ts';
import { HoldLists } from '../iter/hold-lists.ts';
import { IteratorLostTargets } from '../iter/lost-targets.ts';
import type { OwnObjects } from '../iter/own.ts';
import { WorkingDirectories } from '../iter/working-directories.ts';
import type { Calls } from '../sys/calls.ts';

/** The iterators behind the facts on holders. */
export interface HolderIterators extends Disposable {
  readonly files: HeldFiles;
  readonly lists: HoldLists;
  readonly lostTargets: IteratorLostTargets;
  readonly directories: WorkingDirectories;
}

/** Loads them, all on nothing but themselves; what cannot be loaded says why. Takes about 15 ms. */
export function openHolderIterators(calls: Calls, kernelBtf: KernelBtf, own: OwnObjects): HolderIterators {
  const files = new HeldFiles(calls, kernelBtf, own);
  const lists = new HoldLists(calls, kernelBtf, own);
  const lostTargets = new IteratorLostTargets(calls, kernelBtf, own);
  const directories = new WorkingDirectories(calls, kernelBtf, own);
  return {
    files,
    lists,
    lostTargets,
    directories,
    [Symbol.dispose]: () => {
      files[Symbol.dispose]();
      lists[Symbol.dispose]();
      lostTargets[Symbol.dispose]();
      directories[Symbol.dispose]();
    },
  };
}
