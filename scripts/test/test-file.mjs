import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { root } from '../bootstrap/root.mjs';
import { readReport } from './report.mjs';

/** One file may take this long before it is ended; all rounds of a long run together, four times as long. */
const timeoutMs = (process.env.PINFOLD_TEST_ROUNDS === undefined ? 30 : 120) * 60_000;
/** One that does not end when it is told to is killed. */
const graceMs = 30_000;
const support = join(root, 'dist/test/support');
/** Ticks of the clock that /proc counts processor time in, USER_HZ. */
const ticksPerSecond = 100;

/**
 * Runs one test file in a process of its own, which fails when it ends with BPF descriptors open.
 *
 * It resolves to what came of it: totals, names of failed tests, what was printed, seconds it took, and of
 * how many processors. When `signal` aborts, the process is ended.
 */
export async function runTestFile(file, { env, signal }) {
  const scratch = join(env.TMPDIR, `.report-${relative(root, file).replaceAll('/', '-')}`);
  const paths = { tap: `${scratch}.tap`, printed: `${scratch}.txt` };
  const startedAt = performance.now();
  const printedTo = openSync(paths.printed, 'w');
  const child = spawn(process.execPath, [...flagsFor(paths.tap), file], {
    cwd: root,
    stdio: ['ignore', printedTo, printedTo],
    env: { ...process.env, ...env },
  });
  closeSync(printedTo);
  const meter = measure(child.pid);
  const stop = endOn(child, signal);
  const ended = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, killedBy) => resolve(killedBy ?? `code ${code}`));
  });
  stop();
  const seconds = (performance.now() - startedAt) / 1000;
  const said = existsSync(paths.tap) ? readFileSync(paths.tap, 'utf8') : '';
  const printed = readFileSync(paths.printed, 'utf8');
  for (const path of Object.values(paths)) rmSync(path, { force: true });
  return { file, ...readReport(said, ended), printed, seconds, processors: meter.stop() / seconds };
}

function flagsFor(tap) {
  return [
    '--enable-source-maps',
    ...['own-reporters', 'fd-guard'].map((name) => `--import=${join(support, `${name}.js`)}`),
    ...['--test-reporter=spec', '--test-reporter-destination=stdout'],
    ...['--test-reporter=tap', `--test-reporter-destination=${tap}`],
  ];
}

/** Ends the process when the run is interrupted, or it takes too long. */
function endOn(child, signal) {
  let kill;
  const end = () => {
    child.kill('SIGTERM');
    kill ??= setTimeout(() => child.kill('SIGKILL'), graceMs);
  };
  const timer = setTimeout(end, timeoutMs);
  signal.addEventListener('abort', end);
  return () => {
    signal.removeEventListener('abort', end);
    clearTimeout(timer);
    clearTimeout(kill);
  };
}

/** Seconds of processor time that a process and all it started took, as last seen. */
function measure(pid) {
  let seconds = 0;
  const look = () => {
    seconds = Math.max(seconds, ticksOf(pid) / ticksPerSecond);
  };
  const timer = setInterval(look, 500);
  return {
    stop: () => {
      clearInterval(timer);
      return seconds;
    },
  };
}

/** Of a process, the children it has waited for and those that run (proc(5)); 0 once it has ended. */
function ticksOf(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    const own = fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
    return children.reduce((sum, child) => sum + ticksOf(child), own);
  } catch {
    return 0;
  }
}
