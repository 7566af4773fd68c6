import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { root } from '../bootstrap/root.mjs';

/** Two files at a time: most tests wait for the kernel, and the machines this runs on are small. */
const filesAtOnce = 2;
/** One file may take this long before the runner ends it. */
const fileTimeoutMs = 30 * 60_000;
/** So many files may have been disturbed by what ran beside them; where more fail, nothing is run again. */
const filesAgainMax = 3;
const testsFolder = join(root, 'dist/test');

/**
 * Runs test files with node:test, each in a process that fails when it ends with BPF descriptors open.
 *
 * All files share one kernel: its ids, its reference counts, its processors. A few that failed while another
 * file ran beside them are therefore run once more, each by itself, and that judges them; they are counted as
 * `disturbed` and named, for each is a fault to be found (docs/adr/0031). What was run by itself in the first
 * place is judged at once.
 *
 * Gives node's own totals; where the runner died before it said them, one failure.
 */
export async function runTests(files, env) {
  const first = await run(files, env, { atOnce: filesAtOnce, name: 'first' });
  if (first.failures.length === 0) return first.totals;
  tell('failed', first.failures);
  const again = filesOf(first.failures, files);
  if (again === undefined || files.length === 1 || again.length > filesAgainMax) return first.totals;
  console.log(`ℹ ${again.length} of ${files.length} files are run once more, each by itself`);
  const second = await run(again, env, { atOnce: 1, name: 'again' });
  if (second.totals.fail + second.totals.cancelled > 0) {
    tell('failed by itself', second.failures);
    return first.totals;
  }
  tell('passed by itself', first.failures);
  const { pass, fail, cancelled } = first.totals;
  return { ...first.totals, pass: pass + fail + cancelled, fail: 0, cancelled: 0, disturbed: again.length };
}

/** One run of node:test: its totals, and which tests failed where. */
async function run(files, env, { atOnce, name }) {
  const tap = join(env.TMPDIR, `${name}.tap`);
  const args = [
    '--enable-source-maps',
    `--import=${join(testsFolder, 'support/fd-guard.js')}`,
    '--test',
    `--test-concurrency=${atOnce}`,
    `--test-timeout=${fileTimeoutMs}`,
    ...['--test-reporter=spec', '--test-reporter-destination=stdout'],
    ...['--test-reporter=tap', `--test-reporter-destination=${tap}`],
    ...files,
  ];
  const options = { cwd: root, stdio: ['ignore', 1, 2], env: { ...process.env, ...env } };
  const child = spawn(process.execPath, args, options);
  const pass = (signal) => child.kill(signal);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, pass);
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve));
  const said = readFileSync(tap, 'utf8');
  const totals = totalsOf(said);
  if (code !== 0 && totals.fail + totals.cancelled === 0) totals.fail = 1;
  return { totals, failures: failuresOf(said) };
}

function totalsOf(said) {
  const count = (name) => Number(new RegExp(`^# ${name} (\\d+)$`, 'm').exec(said)?.[1] ?? 0);
  const names = ['tests', 'pass', 'fail', 'cancelled', 'skipped', 'todo'];
  return Object.fromEntries(names.map((name) => [name, count(name)]));
}

/**
 * The tests that failed themselves, not only because of a test within them. One that cannot be read has no
 * file: nothing is run again, and the failure stands.
 */
function failuresOf(said) {
  const failed = [...said.matchAll(/^ *not ok \d+ - (.*)\n *---\n([\s\S]*?)\n *\.\.\.$/gm)];
  const told = [...said.matchAll(/^ *not ok \d+ - /gm)].length;
  const unread = told === failed.length ? [] : [{ file: '', name: 'a failure that could not be read' }];
  const read = failed.flatMap(([, name, details]) => {
    if (details.includes("failureType: 'subtestsFailed'")) return [];
    const where = /^ *location: '(.*?)(?::\d+)*'$/m.exec(details)?.[1];
    return [{ file: where === undefined ? '' : sourceOf(where), name }];
  });
  return [...read, ...unread];
}

/** `kernel/some.test.ts`, also where the compiled file is named. */
function sourceOf(file) {
  const inside = relative(root, file)
    .split(sep)
    .join('/')
    .replace(/^dist\//, '');
  return inside.replace(/^test\//, '').replace(/\.js$/, '.ts');
}

/** The compiled files of these failures; undefined where one cannot be told. */
function filesOf(failures, files) {
  const known = new Map(files.map((file) => [sourceOf(file), file]));
  const found = [...new Set(failures.map(({ file }) => known.get(file)))];
  return found.includes(undefined) ? undefined : found;
}

function tell(what, failures) {
  for (const { file, name } of failures) {
    console.log(`✖ ${what}: ${name}${file === '' ? '' : `\n    node scripts/test.mjs ${file}`}`);
  }
}
