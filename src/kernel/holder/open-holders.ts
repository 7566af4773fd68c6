import type { KernelBtf } from '../btf/kernel-btf.ts';
import { HeldFiles } from '../iter/held-files.ts';
import { HoldLists } from '../iter/hold-lists.ts';
import type { OwnObjects } from '../iter/own.ts';
import type { Calls } from '../sys/calls.ts';

/** The iterators behind the facts on holders. */
export interface HolderIterators extends Disposable {
  readonly files: HeldFiles;
  readonly lists: HoldLists;
}

/** Loads them, all on nothing but themselves; what cannot be loaded says why. Takes about 15 ms. */
export function openHolderIterators(calls: Calls, kernelBtf: KernelBtf, own: OwnObjects): HolderIterators {
  const files = new HeldFiles(calls, kernelBtf, own);
  const lists = new HoldLists(calls, kernelBtf, own);
  return {
    files,
    lists,
    [Symbol.dispose]: () => {
      files[Symbol.dispose]();
      lists[Symbol.dispose]();
    },
  };
}
