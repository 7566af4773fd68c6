/**
 * What `npm start`, `npm test` and `npm run check` run first: makes this checkout runnable, and says what it
 * does.
 *
 *   node scripts/bootstrap.mjs start|test|check|build|bench
 *
 * Only what the command needs is installed: npm packages by the lockfile, Debian packages that are missing, a
 * build when sources changed. Where nothing is to do it takes no noticeable time. It uses nothing but what
 * comes with Node.
 */
import { build, isBuilt } from './bootstrap/build.mjs';
import { installPackages, missingPackages } from './bootstrap/debian.mjs';
import { checkKernel, checkNode } from './bootstrap/machine.mjs';
import { installModules, isInstalled, needsCompiler } from './bootstrap/modules.mjs';
import { Problem } from './bootstrap/problem.mjs';

/** What each command stands on, beside Node and the npm packages. */
const commands = {
  start: { kernel: true, packages: [] },
  test: { kernel: true, packages: ['oracles', 'compilers', 'deploy'] },
  check: { kernel: false, packages: [] },
  build: { kernel: false, packages: [] },
  bench: { kernel: true, packages: ['oracles', 'compilers', 'load'] },
};

function bootstrap(name) {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) throw new Problem(`say one of: ${Object.keys(commands).join(', ')}`);
  checkNode();
  if (command.kernel) checkKernel();
  const modulesMissing = !isInstalled();
  const missing = missingPackages([
    ...command.packages,
    ...(modulesMissing && needsCompiler ? ['native'] : []),
  ]);
  if (missing.length > 0) installPackages(missing);
  if (modulesMissing) installModules();
  if (!isBuilt()) build();
}

try {
  bootstrap(process.argv[2] ?? '');
} catch (error) {
  if (!(error instanceof Problem)) throw error;
  process.stderr.write(`pinfold: ${error.message}\n`);
  process.exitCode = 1;
}
