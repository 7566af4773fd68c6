import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';
import { repoPath } from '../support/repo-root.ts';

test('biome has nothing to say about format, imports and habits', () => {
  const run = spawnSync(repoPath('node_modules/.bin/biome'), ['check', '--max-diagnostics=20', '.'], {
    cwd: repoPath('.'),
    encoding: 'utf8',
  });
  assert.equal(run.status, 0, `${run.stdout}${run.stderr}`);
});
