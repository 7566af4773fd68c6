import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
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
