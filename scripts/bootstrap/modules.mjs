import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Problem, say } from './problem.mjs';
import { root } from './root.mjs';

/**
 * Says for which Node the native modules were seen to load; a Node with another ABI needs them compiled anew.
 */
const stamp = join(root, 'node_modules/.pinfold-abi');
const abi = `${process.platform}-${process.arch}-${process.versions.modules}\n`;

/** Whether node_modules is what the lockfile says, and its native modules load in this Node. */
export function isInstalled() {
  if (!matchesLockfile()) return false;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === abi) return true;
  if (!nativeModulesLoad()) return false;
  writeFileSync(stamp, abi);
  return true;
}

/**
 * On Node 22 and later what is native comes built inside its package (docs/adr/0005), so nothing is compiled.
 */
export const needsCompiler = Number.parseInt(process.versions.node, 10) < 22;

/**
 * Installs exactly what the lockfile says.
 *
 * @throws Problem when npm fails, for example without a network.
 */
export function installModules() {
  const wait = needsCompiler ? ' (about 2 minutes where better-sqlite3 has to be compiled)' : '';
  say(`installing npm packages${wait}`);
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
  const run = spawnSync(
    'npm',
    ['ci', '--include=dev', ...quiet, ...(needsCompiler ? [] : ['--ignore-scripts'])],
    {
      cwd: root,
      stdio: ['ignore', 2, 2],
      env: { ...process.env, ...nodeHeaders() },
    },
  );
  if (run.error !== undefined)
    throw new Problem(`npm cannot be run (${run.error.message}); install it with Node.`);
  if (run.status !== 0)
    throw new Problem('npm packages could not be installed; see above (is the network there?).');
  if (!isInstalled()) {
    throw new Problem(
      'npm packages are there, but better-sqlite3 or koffi does not load; try `npm rebuild`.',
    );
  }
}

/**
 * npm writes what it installed to node_modules/.package-lock.json; optional packages of other platforms are
 * absent.
 */
function matchesLockfile() {
  const present = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(present)) return false;
  const installed = JSON.parse(readFileSync(present, 'utf8')).packages;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    if (path === '') return true;
    return installed[path] === undefined ? optional === true : installed[path].version === version;
  });
}

/** Tries the release of the SQLite driver that src/store/driver.ts takes on this Node, and koffi. */
function nativeModulesLoad() {
  const driver = needsCompiler ? 'better-sqlite3' : 'better-sqlite3-13';
  const script = `new (require('${driver}'))(':memory:').close(); require('koffi')`;
  return spawnSync(process.execPath, ['-e', script], { cwd: root, stdio: 'ignore' }).status === 0;
}

/** Headers that came with this Node spare node-gyp a download. */
function nodeHeaders() {
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, 'include/node/node.h')) ? { npm_config_nodedir: prefix } : {};
}
