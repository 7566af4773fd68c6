import { setTimeout as pause } from 'node:timers/promises';
// The same finder the tests use; it is tested there.
import { leftBehind, machineState, otherTestRuns, processesMarked } from '../../dist/test/support/leaks.js';

/** The kernel frees objects 10–300 ms after the last reference went, and a process needs a moment to end. */
const settleMs = 10_000;

/**
 * Looks at the machine before the tests; `settle` looks again after them and tells what is new and stays.
 *
 * Processes of the run are known by `marker` in their environment; what is still running is named, then
 * killed.
 */
export async function watchForLeaks(marker) {
  const before = machineState();
  return {
    settle: async () => {
      const deadline = Date.now() + settleMs;
      let left = look(before, marker);
      while (left.length > 0 && Date.now() < deadline) {
        await pause(100);
        left = look(before, marker);
      }
      for (const { pid } of processesMarked(marker)) process.kill(pid, 'SIGKILL');
      return left;
    },
  };
}

function look(before, marker) {
  const running = processesMarked(marker).map(({ pid, command }) => `process ${pid}: ${command}`);
  const after = machineState();
  // Objects do not say who made them: while others run tests here, only what is surely ours is judged.
  if (otherTestRuns(marker).length > 0) return [...running, ...leftBehind(before, { ...after, objects: [] })];
  return [...running, ...leftBehind(before, after)];
}
