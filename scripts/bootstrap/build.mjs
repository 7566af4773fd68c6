import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundlePackages, bundleVictims } from './bundle.mjs';
import { Problem, say } from './problem.mjs';
import { root } from './root.mjs';

/** Holds the fingerprint of the sources that dist/ was built from. */
const stamp = join(root, 'dist/.built-from');
const folders = ['src', 'test', 'bench', 'scripts'];

/** Whether dist/ was built from the sources as they are. */
export function isBuilt() {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === fingerprint();
}

/**
 * Compiles everything to dist/ (types included), removes from there what no longer has a source, and bundles
 * packages of many files and what tests start again and again.
 *
 * @throws Problem when there is a type error; the compiler has printed it, and dist/ is as it was.
 */
export function build() {
  say('building');
  const before = fingerprint();
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const run = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.json'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (run.status !== 0) throw new Problem('the sources have type errors, see above.');
  removeOrphans();
  bundlePackages();
  bundleVictims();
  writeFileSync(stamp, before);
}

/**
 * Path, size and time of each source, in one hash: enough to see a change, and cheap enough for every start.
 */
function fingerprint() {
  const hash = createHash('sha256');
  for (const file of [...sources(), 'tsconfig.json', 'package-lock.json']) {
    const { size, mtimeMs } = statSync(join(root, file));
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

function sources() {
  return folders.flatMap((folder) => filesIn(folder, '.ts'));
}

function removeOrphans() {
  for (const output of folders.flatMap((folder) => filesIn(join('dist', folder), '.js'))) {
    const source = output.replace(/^dist\//, '').replace(/\.js$/, '.ts');
    if (existsSync(join(root, source))) continue;
    rmSync(join(root, output));
    rmSync(join(root, `${output}.map`), { force: true });
  }
}

function filesIn(folder, extension) {
  const path = join(root, folder);
  if (!existsSync(path)) return [];
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => name.endsWith(extension))
    .sort()
    .map((name) => join(folder, name));
}
