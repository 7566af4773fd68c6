import { openKernel } from '../../src/kernel/open-kernel.ts';

/**
 * Reads who holds one map in a process of its own, to be started where /proc shows less than here.
 *
 * The argument is the map's id. Prints one JSON line: descriptors, processes by pid, and what was not seen.
 */
using kernel = openKernel();
const { files, processes, unavailable } = kernel.holders.read({
  focus: { kind: 'map', id: Number(process.argv[2]) },
});
const descriptors = files.flatMap((file) => file.descriptors);
process.stdout.write(
  `${JSON.stringify({ descriptors, processes: Object.fromEntries(processes), unavailable })}\n`,
);
