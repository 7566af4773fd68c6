import { loadProgram } from '../bpf/create.ts';
import type { Btf } from '../btf/btf.ts';
import type { Calls } from '../sys/calls.ts';
import { assemble, callKernelFunction, exit, jumpIfEqual, load, move, set } from './instruction.ts';
import { iteratorAttachType, iteratorProgramType } from './iterator.ts';
import { learnListLayout } from './layout.ts';

/** The kernel function that adds up a map's per-CPU element counters (kernel/bpf/map_iter.c, Linux 6.6). */
const COUNT_FUNCTION = 'bpf_map_sum_elem_count';

/** BTF id of that function. @throws RangeError where the kernel has none */
export function entryCountFunction(btf: Btf): number {
  const functionId = btf.find('func', COUNT_FUNCTION);
  if (functionId === undefined) throw new RangeError(`this kernel has no function ${COUNT_FUNCTION}`);
  return functionId;
}

/**
 * Proves that a program over maps may ask how many entries a map has, by having one verified.
 *
 * @throws RangeError where the kernel has no such function, SystemCallError where it may not be called
 */
export function proveEntryCount(btf: Btf, calls: Calls): void {
  const functionId = entryCountFunction(btf);
  const layout = learnListLayout(btf, 'map');
  const instructions = assemble([
    load(6, 1, layout.object),
    jumpIfEqual(6, 0, 'done'),
    move(1, 6),
    callKernelFunction(functionId),
    { label: 'done' },
    set(0, 0),
    exit(),
  ]);
  const spec = {
    type: iteratorProgramType,
    name: 'pinfold_count',
    instructions,
    expectedAttachType: iteratorAttachType,
    attachBtfId: layout.functionId,
  };
  loadProgram(spec, calls)[Symbol.dispose]();
}
