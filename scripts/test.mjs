/**
 * Runs the tests, and judges the run as a whole: totals, line coverage of src, and that nothing was left
 * behind.
 *
 *   node scripts/test.mjs                   everything; line coverage of src must reach the threshold
 *   node scripts/test.mjs kernel crash      the named folders of test/ (a single file can be named, too)
 *
 * The run has a mount namespace, a TMPDIR (a tmpfs) and an environment mark of its own, so what it leaves on
 * the machine is told from what others do there at the same time; mounts and files vanish with the namespace
 * in any case.
 */
import { spawn } from 'node:child_process';
import { randomInt, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './bootstrap/root.mjs';
import { coverageOf } from './test/coverage.mjs';
import { watchForLeaks } from './test/leaks.mjs';
import { privateTmp } from './test/private-tmp.mjs';
import { runTests } from './test/runner.mjs';
import { selectTests } from './test/select.mjs';

const linesLeastPercent = 90;
const mark = 'PINFOLD_TEST_RUN';

/** Runs this script once more in a mount namespace of its own, and ends as it ends. */
function enterNamespace() {
  const args = ['--mount', '--propagation', 'private', process.execPath, ...process.argv.slice(1)];
  const child = spawn('unshare', args, { stdio: 'inherit', env: { ...process.env, [mark]: randomUUID() } });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.once('error', (error) => {
    process.stderr.write(`unshare cannot be run: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.once('exit', (code) => {
    process.exitCode = code ?? 1;
  });
}

async function main() {
  const names = process.argv.slice(2);
  const files = selectTests(names);
  const isWhole = names.length === 0;
  const leaks = await watchForLeaks(`${mark}=${process.env[mark]}`);
  const coverage = isWhole ? coverageOf('src') : undefined;
  const tmp = privateTmp();
  // One seed for all files, so that the last lines of a run are all that it takes to repeat it.
  const seed = process.env.PINFOLD_TEST_SEED ?? String(randomInt(2 ** 31));
  const totals = await runTests(files, { TMPDIR: tmp, PINFOLD_TEST_SEED: seed, ...coverage?.env });
  const left = await leaks.settle();
  const percent = coverage?.report();

  const complaints = left.map((what) => `left behind: ${what}`);
  if (percent !== undefined && percent < linesLeastPercent) {
    complaints.push(`line coverage of src is ${percent} %, less than ${linesLeastPercent} %`);
  }
  for (const complaint of complaints) console.log(`✖ ${complaint}`);
  for (const [name, count] of Object.entries(totals)) console.log(`ℹ ${name} ${count}`);
  console.log(`ℹ the seed of all files was PINFOLD_TEST_SEED=${seed}`);
  const failed = totals.fail + totals.cancelled + complaints.length;
  const disturbed = totals.disturbed === undefined ? '' : `, disturbed files: ${totals.disturbed}`;
  console.log(`${totals.pass} passed, ${failed} failed, ${totals.skipped + totals.todo} skipped${disturbed}`);
  process.exitCode = failed === 0 && totals.pass > 0 ? 0 : 1;
}

if (!existsSync(join(root, 'dist'))) throw new Error('dist/ is missing: run `npm test`, which builds it');
if (process.env[mark] === undefined) enterNamespace();
else await main();
