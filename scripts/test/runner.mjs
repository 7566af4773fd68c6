import { knownCosts, nameOf, recordCosts } from './known-costs.mjs';
import { workThrough } from './queue.mjs';
import { sumOf } from './report.mjs';
import { runTestFile } from './test-file.mjs';

/** So many files may have been disturbed by what ran beside them; where more fail, nothing is run again. */
const filesAgainMax = 3;

/**
 * Runs test files, each in a process of its own, several at a time (docs/adr/0037).
 *
 * All files share one kernel: its ids, its reference counts, its processors. A few that failed while another
 * file ran beside them are therefore run once more, each by itself, and that judges them; they are counted as
 * `disturbed` and named, for each is a fault to be found (docs/adr/0031). What was run by itself in the first
 * place is judged at once.
 *
 * Gives the sum of node's own totals. Interrupted by a signal, it ends what runs and counts a failure.
 */
export async function runTests(files, env) {
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => interrupted.abort(signal));
  const run = async (file) => {
    const result = await runTestFile(file, { env, signal: interrupted.signal });
    show(result);
    return result;
  };
  const isOver = () => interrupted.signal.aborted;
  const first = await workThrough(files, { known: knownCosts(), run, isOver });
  const totals = sumOf(first);
  if (isOver()) return interruptedTotals(totals, interrupted.signal.reason);
  if (process.env.PINFOLD_TEST_RECORD !== undefined) recordCosts(first);
  return await judge(first, { totals, run, isOver });
}

/** Runs few failed files once more, each by itself, and lets that decide. */
async function judge(first, { totals, run, isOver }) {
  const failed = first.filter(hasFailed);
  tell('failed', failed);
  if (failed.length === 0 || first.length === 1 || failed.length > filesAgainMax) return totals;
  console.log(`ℹ ${failed.length} of ${first.length} files are run once more, each by itself`);
  const second = [];
  for (const { file } of failed) if (!isOver()) second.push(await run(file));
  const failedAgain = second.filter(hasFailed);
  if (failedAgain.length > 0 || isOver()) {
    tell('failed by itself', failedAgain);
    return totals;
  }
  tell('passed by itself', failed);
  const { pass, fail, cancelled } = totals;
  return { ...totals, pass: pass + fail + cancelled, fail: 0, cancelled: 0, disturbed: failed.length };
}

function hasFailed({ totals }) {
  return totals.fail + totals.cancelled > 0;
}

function interruptedTotals(totals, signal) {
  console.log(`✖ interrupted by ${signal}`);
  return { ...totals, fail: totals.fail + 1 };
}

/** What a file printed, but for its totals, under its name: files end in any order. */
function show(result) {
  const printed = result.printed.replace(/^ℹ (?:tests|suites|pass|fail|cancelled|skipped|todo) \d+\n/gm, '');
  const mark = hasFailed(result) ? '✖' : '▶';
  const took = `${result.seconds.toFixed(1)} s, ${result.processors.toFixed(2)} processors`;
  console.log(`${mark} ${nameOf(result.file)} (${took})`);
  process.stdout.write(printed.replace(/^ℹ duration_ms [\d.]+\n/gm, ''));
}

function tell(what, results) {
  for (const { file, failures } of results) {
    for (const name of failures) {
      console.log(`✖ ${what}: ${name}\n    node scripts/test.mjs ${nameOf(file)}`);
    }
  }
}
