import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { repoPath } from '../support/repo-root.ts';
import { tempDir } from '../support/temp-dir.ts';

/** What the first stage of the Dockerfile has of this repository when it builds. */
function copied(): readonly string[] {
  const [stage = ''] = readFileSync(repoPath('Dockerfile'), 'utf8')
    .split(/^FROM .+$/m)
    .slice(1);
  return [...stage.matchAll(/^COPY (.+) \S+$/gm)].flatMap(([, sources = '']) => sources.split(' '));
}

test('what the image is built from is enough to build, and what was built runs', () => {
  using dir = tempDir('image');
  const sources = copied();
  assert.ok(sources.includes('src') && sources.includes('package.json'), sources.join());
  for (const source of sources) cpSync(repoPath(source), join(dir.path, source), { recursive: true });
  symlinkSync(repoPath('node_modules'), join(dir.path, 'node_modules'));
  const inThere = { cwd: dir.path, encoding: 'utf8' } as const;
  const built = spawnSync(process.execPath, ['scripts/bootstrap.mjs', 'build'], inThere);
  assert.equal(built.status, 0, `${built.stdout}${built.stderr}`);
  assert.equal(existsSync(join(dir.path, 'dist/test')), false);
  cpSync(repoPath('bin'), join(dir.path, 'bin'), { recursive: true });
  const ran = spawnSync(process.execPath, ['bin/pinfold', '--help'], inThere);
  assert.equal(ran.status, 0, `${ran.stdout}${ran.stderr}`);
});
