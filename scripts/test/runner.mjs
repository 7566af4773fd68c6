import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../bootstrap/root.mjs';

/** Two files at a time: most tests wait for the kernel, and the machines this runs on are small. */
const filesAtOnce = 2;
/** One file may take this long before the runner ends it. */
const fileTimeoutMs = 30 * 60_000;

/**
 * Runs test files with node:test, each in a process that fails when it ends with BPF descriptors open.
 *
 * Gives node's own totals; where the runner died before it said them, one failure.
 */
export async function runTests(files, env) {
  const tap = join(env.TMPDIR, 'totals.tap');
  const args = [
    '--enable-source-maps',
    `--import=${join(root, 'dist/test/support/fd-guard.js')}`,
    '--test',
    `--test-concurrency=${filesAtOnce}`,
    `--test-timeout=${fileTimeoutMs}`,
    ...['--test-reporter=spec', '--test-reporter-destination=stdout'],
    ...['--test-reporter=tap', `--test-reporter-destination=${tap}`],
    ...files,
  ];
  const child = spawn(process.execPath, args, {
    cwd: root,
    stdio: ['ignore', 1, 2],
    env: { ...process.env, ...env },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve));
  const totals = readTotals(tap);
  if (code !== 0 && totals.fail + totals.cancelled === 0) totals.fail = 1;
  return totals;
}

function readTotals(path) {
  const said = readFileSync(path, 'utf8');
  const count = (name) => Number(new RegExp(`^# ${name} (\\d+)$`, 'm').exec(said)?.[1] ?? 0);
  const names = ['tests', 'pass', 'fail', 'cancelled', 'skipped', 'todo'];
  return Object.fromEntries(names.map((name) => [name, count(name)]));
}
