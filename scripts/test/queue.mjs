/** Two files that keep a processor busy, and one that mostly waits: the machines this runs on are small. */
const processorsMax = 2.3;
/** Files see each other on the one kernel, however little they do. */
const filesMax = 3;
/** Seconds and processors that a file is taken for that is not in the list. */
const unknown = [2, 1];

/**
 * Works through files, the longest first, so that none is left to run by itself at the end; several at a time
 * where those that run leave processors idle.
 *
 * `known` has seconds and processors by file; `isOver` stops before the next one.
 */
export async function workThrough(files, { known, run, isOver }) {
  const waiting = files
    .map((file) => ({ file, cost: known(file) ?? unknown }))
    .sort((a, b) => b.cost[0] - a.cost[0]);
  const running = new Set();
  const results = [];
  const fits = ({ cost: [, processors] }) => {
    const taken = [...running].reduce((sum, { cost }) => sum + cost[1], 0);
    return running.size === 0 || (running.size < filesMax && taken + processors <= processorsMax);
  };
  while (running.size > 0 || (waiting.length > 0 && !isOver())) {
    const next = isOver() ? -1 : waiting.findIndex(fits);
    if (next === -1) {
      await Promise.race([...running].map(({ done }) => done));
      continue;
    }
    const [one] = waiting.splice(next, 1);
    one.done = run(one.file).then((result) => {
      results.push(result);
      running.delete(one);
    });
    running.add(one);
  }
  return results;
}
