import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execPath, getuid } from 'node:process';
import test from 'node:test';
import { repoPath } from '../support/repo-root.ts';
import { tempDir } from '../support/temp-dir.ts';

const bootstrap = [execPath, repoPath('scripts/bootstrap.mjs'), 'start'];

/**
 * Ways to be somebody who cannot use bpf(2), and the sentence each gets. The first is what a user already is.
 */
const powerless: readonly (readonly [string, readonly string[], RegExp])[] = [
  [
    'an ordinary user',
    getuid?.() === 0 ? ['unshare', '--user'] : [],
    /^pinfold: not root; run it as root[^\n]*\.\n$/,
  ],
  [
    'root of a container',
    ['unshare', '--user', '--map-root-user'],
    /^pinfold: root of a user namespace[^\n]*\.\n$/,
  ],
];

for (const [who, command, sentence] of powerless) {
  test(`${who} is told in one sentence what is missing, and nothing is installed`, () => {
    const [program = '', ...args] = [...command, ...bootstrap];
    const run = spawnSync(program, args, { encoding: 'utf8' });
    assert.match(run.stderr, sentence);
    assert.equal(run.status, 1);
  });
}

test('a command that bootstrap does not know is refused with those it knows', () => {
  const run = spawnSync(execPath, [repoPath('scripts/bootstrap.mjs'), 'stop'], { encoding: 'utf8' });
  assert.equal(run.stderr, 'pinfold: say one of: start, test, check, build, bench\n');
  assert.equal(run.status, 1);
});

test('the executable of a checkout that is not built says what to do, and exits as for wrong usage', () => {
  using dir = tempDir('checkout');
  mkdirSync(join(dir.path, 'bin'));
  copyFileSync(repoPath('bin/pinfold'), join(dir.path, 'bin/pinfold'));
  copyFileSync(repoPath('package.json'), join(dir.path, 'package.json'));
  const run = spawnSync(join(dir.path, 'bin/pinfold'), ['get', 'pins'], { encoding: 'utf8' });
  assert.match(run.stderr, /^pinfold: not built yet; run `npm start`[^\n]*\.\n$/);
  assert.equal(run.status, 2);
});

test('a bundled package exports what the package does', async () => {
  const folder = repoPath('dist/node_modules');
  const bundled = readdirSync(folder);
  assert.ok(bundled.includes('typebox'), bundled.join(', '));
  for (const name of bundled) {
    const [own, bundle] = [repoPath('node_modules'), folder].map((from) => packageIn(join(from, name)));
    assert.equal(bundle?.version, own?.version);
    assert.deepEqual([...(bundle?.files.keys() ?? [])], [...(own?.files.keys() ?? [])]);
    for (const [subpath, file] of own?.files ?? []) {
      const namesOf = async (path: string) => Object.keys(await import(path)).sort();
      assert.deepEqual(await namesOf(bundle?.files.get(subpath) ?? ''), await namesOf(file), subpath);
    }
  }
});

/** The version of a package, and the files of its exports. */
function packageIn(folder: string): { readonly version: string; readonly files: Map<string, string> } {
  const { version, exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const files = Object.entries<string | { readonly default: string }>(exports).map(
    ([subpath, file]) => [subpath, join(folder, typeof file === 'string' ? file : file.default)] as const,
  );
  return { version, files: new Map(files) };
}
