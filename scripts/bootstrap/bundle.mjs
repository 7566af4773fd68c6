import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from './root.mjs';

/** What tests start hundreds of times to kill it. */
const victims = ['victim', 'claim-victim'];
/** Packages of so many files that opening them is a good part of what a start of Pinfold takes. */
const packages = ['typebox'];

/**
 * Puts such packages into dist/node_modules, each in a few files, where what is in dist/ finds them before
 * those in node_modules (docs/adr/0039). They export the same, under the same names.
 */
export function bundlePackages() {
  // Not imported at the top: where bootstrap runs first there are no packages yet.
  const { buildSync } = createRequire(import.meta.url)('esbuild');
  for (const name of packages) {
    const from = join(root, 'node_modules', name);
    const to = join(root, 'dist/node_modules', name);
    const { version, license, exports } = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8'));
    const files = Object.entries(exports).map(([subpath, { default: file }]) => ({ subpath, file }));
    rmSync(to, { recursive: true, force: true });
    buildSync({
      entryPoints: files.map(({ file }) => join(from, file)),
      outbase: from,
      outdir: to,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      // What several exports share is in files of its own, so that it exists once.
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      logLevel: 'warning',
    });
    const names = Object.fromEntries(files.map(({ subpath, file }) => [subpath, file]));
    const manifest = { name, version, license, type: 'module', exports: names };
    writeFileSync(join(to, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  }
}

/**
 * Makes one file of each victim and all of ours that it imports, beside it: a third of what a start takes
 * goes into opening the files (docs/adr/0046). Packages stay where they are.
 */
export function bundleVictims() {
  const folder = join(root, 'dist/test/crash/support');
  // An image is built without the tests.
  if (!existsSync(folder)) return;
  const { buildSync } = createRequire(import.meta.url)('esbuild');
  buildSync({
    entryPoints: victims.map((name) => join(folder, `${name}.js`)),
    outdir: folder,
    outExtension: { '.js': '.bundle.mjs' },
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'warning',
  });
}
