import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execPath } from 'node:process';
import test from 'node:test';
import { pathToFileURL } from 'node:url';
import { start } from '../support/process.ts';
import { repoPath } from '../support/repo-root.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

const passes = "import test from 'node:test'; test('one', () => {}); test('two', () => {});";
const fails = "import test from 'node:test'; test('bad', () => { throw new Error('bad'); });";
const endsBadly =
  "import test from 'node:test'; test('one', () => {}); process.on('exit', () => process.exit(3));";
/** Fails the first time only; `mark` is a file of its own. */
const failsOnce = (mark: string): string => `
  import { existsSync, writeFileSync } from 'node:fs'; import test from 'node:test';
  test('alone', () => {
    if (existsSync('${mark}')) return;
    writeFileSync('${mark}', '');
    throw new Error('bad');
  });`;

/** A checkout of nothing but the runner and these test files; gives the command that runs them all. */
function checkout(path: string, files: Readonly<Record<string, string>>): readonly [string, string[]] {
  cpSync(repoPath('scripts'), join(path, 'scripts'), { recursive: true });
  mkdirSync(join(path, 'dist/test/support'), { recursive: true });
  writeFileSync(join(path, 'package.json'), '{"type":"module"}');
  for (const preloaded of ['fd-guard', 'own-reporters']) {
    writeFileSync(join(path, `dist/test/support/${preloaded}.js`), '');
  }
  const paths = Object.entries(files).map(([name, source]) => {
    const file = join(path, `dist/test/${name}.test.js`);
    writeFileSync(file, source);
    return file;
  });
  const runner = pathToFileURL(join(path, 'scripts/test/runner.mjs')).href;
  const code = `const { runTests } = await import('${runner}');
    const totals = await runTests(${JSON.stringify(paths)}, { TMPDIR: '${path}' });
    console.log(JSON.stringify(totals));`;
  return [execPath, ['--input-type=module', '-e', code]];
}

/** What the runner says of these files: its totals, and all it printed. */
function runAll(files: Readonly<Record<string, string>>): { totals: unknown; printed: string } {
  using dir = tempDir('checkout');
  const [command, args] = checkout(dir.path, files);
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_V8_COVERAGE: undefined };
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', env });
  const last = stdout.trimEnd().split('\n').at(-1) ?? '';
  return { totals: JSON.parse(last || 'null'), printed: `${stdout}${stderr}` };
}

const none = { fail: 0, cancelled: 0, skipped: 0, todo: 0 };

test('a file that fails beside others and passes by itself is counted as disturbed, and named', () => {
  using dir = tempDir('mark');
  const { totals, printed } = runAll({ a: passes, b: failsOnce(`${dir.path}/mark`) });
  assert.deepEqual(totals, { ...none, tests: 3, pass: 3, disturbed: 1 }, printed);
  assert.match(printed, /✖ failed: alone\n {4}node scripts\/test\.mjs b\.test\.ts/);
  assert.match(printed, /✖ passed by itself: alone\n/);
});

test('a file that fails by itself, too, has failed; so has one that only ends badly', () => {
  const { totals, printed } = runAll({ a: passes, b: fails, c: endsBadly });
  assert.deepEqual(totals, { ...none, tests: 4, pass: 3, fail: 2 }, printed);
  assert.match(printed, /✖ failed by itself: bad\n/);
  assert.match(printed, /✖ failed: the file itself, which ended with code 3\n/);
});

test('where more than three files fail, or the only one, nothing is run again', () => {
  using dir = tempDir('mark');
  const four = ['a', 'b', 'c', 'd'].map((name) => [name, failsOnce(`${dir.path}/${name}`)]);
  assert.deepEqual(runAll(Object.fromEntries(four)).totals, { ...none, tests: 4, pass: 0, fail: 4 });
  const one = runAll({ a: failsOnce(`${dir.path}/one`) });
  assert.deepEqual(one.totals, { ...none, tests: 1, pass: 0, fail: 1 }, one.printed);
});

test('a run that is interrupted ends the files under way, begins no other, and has failed', async () => {
  using dir = tempDir('checkout');
  const waits = (mark: string): string =>
    `import { writeFileSync } from 'node:fs'; import test from 'node:test';
    process.on('SIGTERM', () => process.exit(1));
    test('waits', async () => {
      writeFileSync('${mark}', '');
      await new Promise((end) => setTimeout(end, 1e6));
    });`;
  const files = ['a', 'b', 'c', 'd', 'e'].map((name) => [name, waits(`${dir.path}/${name}`)]);
  const [command, args] = checkout(dir.path, Object.fromEntries(files));
  const env = { NODE_TEST_CONTEXT: undefined, NODE_V8_COVERAGE: undefined };
  using run = start(command, args, { env });
  const begun = (): number => files.filter(([name]) => existsSync(`${dir.path}/${name}`)).length;
  await until('two files under way', begun, (count) => count >= 2);
  run.kill('SIGTERM');
  assert.deepEqual(await run.exit(), { code: 0, signal: null });
  const totals = JSON.parse(run.lines.at(-1) ?? 'null');
  assert.ok(totals.fail > 0 && totals.pass === 0, run.lines.join('\n'));
  assert.ok(begun() < files.length, 'not all files were begun');
});
