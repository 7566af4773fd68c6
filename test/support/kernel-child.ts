import { openKernel } from '../../src/kernel/open-kernel.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import type { PinnableKind } from '../../src/model/kind.ts';

/**
 * Opens the kernel in a process of its own, to be started with fewer rights than the tests have.
 *
 * Arguments are `map:ID`, `program:ID`, `link:ID`. Prints one JSON line: the features, whether all
 * processes can be seen, and for each argument its
 * counters (as text) or the code of the refusal.
 */
using kernel = openKernel();
const features = kernel.facts.features.map(({ name, available, reason }) => ({ name, available, reason }));
const answers = process.argv.slice(2).map((argument) => {
  const [kind, id] = argument.split(':');
  try {
    const found = kernel.counters.readOne(kind as PinnableKind, Number(id));
    return { refcnt: String(found?.refcnt), usercnt: String(found?.usercnt) };
  } catch (error) {
    if (isPinfoldError(error)) return { refused: error.code };
    throw error;
  }
});
const transient = kernel.fds.transient().length;
const { seesAllProcesses } = kernel.facts;
process.stdout.write(`${JSON.stringify({ features, answers, transient, seesAllProcesses })}\n`);
