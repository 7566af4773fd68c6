import { openBpffs } from './bpffs/open-bpffs.ts';
import { openWatcher } from './bpffs/watcher.ts';
import { kernelBtfPath, readKernelBtf } from './btf/kernel-btf.ts';
import { openNameWatcher } from './fanotify/name-watcher.ts';
import { KernelHolders } from './holder/kernel-holders.ts';
import { openHolderIterators } from './holder/open-holders.ts';
import { IteratorCounters } from './iter/counters.ts';
import type { Kernel } from './kernel.ts';
import { BpfObjects } from './object/objects.ts';
import { BpfTypes } from './object/types.ts';
import { readBootTimeMs, readSinceBootMs } from './proc/boot.ts';
import { Cgroups } from './proc/cgroups.ts';
import { readFacts } from './proc/facts.ts';
import { probeFeatures } from './proc/features.ts';
import { processes } from './proc/processes.ts';
import { BpfPrograms } from './program/programs.ts';
import { Calls } from './sys/calls.ts';
import { FdTable } from './sys/fd.ts';
import { openWrittenKeys } from './written/written-keys.ts';

/**
 * Opens everything Pinfold asks of the kernel; disposing unloads the iterators again.
 *
 * What the kernel lacks or does not permit does not fail here: `facts.features` and `counters.unavailable`
 * say it. Takes about 60 ms: half for the kernel's type information, half for having the iterators verified.
 *
 * @throws PinfoldError not_supported without openat2
 */
export function openKernel(): Kernel {
  const fds = new FdTable();
  const calls = new Calls(fds);
  const kernelBtf = readKernelBtf(kernelBtfPath);
  const counters = new IteratorCounters(calls, kernelBtf);
  const iterators = openHolderIterators(calls, kernelBtf, counters.own);
  const dispose = (): void => {
    iterators[Symbol.dispose]();
    counters[Symbol.dispose]();
  };
  try {
    const facts = readFacts(probeFeatures(calls, kernelBtf, { counters, ...iterators }));
    const { seesAllProcesses } = facts;
    const cgroups = new Cgroups(calls);
    const objects = new BpfObjects(calls, { epochMs: readBootTimeMs() }, counters);
    const bpffs = openBpffs(calls, facts);
    const sources = { calls, objects, bpffs, cgroups, kernelBtf, seesAllProcesses, ...iterators };
    return {
      fds,
      calls,
      facts,
      sinceBootMs: readSinceBootMs,
      counters,
      mapDetails: counters.mapDetails,
      programDetails: counters.programDetails,
      entryCounts: counters.entries,
      lostTargets: iterators.lostTargets,
      programs: new BpfPrograms(fds, kernelBtf),
      types: new BpfTypes(kernelBtf),
      cgroups,
      processes,
      objects,
      bpffs,
      holders: new KernelHolders(sources),
      openWrittenKeys: (maps) => openWrittenKeys({ calls, kernelBtf, own: counters.own }, maps),
      openWatcher: (onWake) => openWatcher(calls, onWake),
      openNameWatcher: (onEvents) => openNameWatcher(calls, onEvents),
      [Symbol.dispose]: dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}
