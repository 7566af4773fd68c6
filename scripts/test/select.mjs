import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../bootstrap/root.mjs';

/**
 * The compiled test files of the named folders or files of test/, all of them where none is named.
 *
 * @throws Error for a name that selects nothing: a run of no tests must not look like a good one.
 */
export function selectTests(names) {
  const folder = join(root, 'dist/test');
  const all = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.test.js'),
  );
  const wanted = names.map((name) =>
    name
      .replace(/^test\//, '')
      .replace(/\.ts$/, '.js')
      .replace(/\/$/, ''),
  );
  for (const name of wanted) {
    if (!all.some((file) => matches(file, name))) throw new Error(`there are no tests in test/${name}`);
  }
  const chosen = names.length === 0 ? all : all.filter((file) => wanted.some((name) => matches(file, name)));
  return chosen.sort().map((file) => join(folder, file));
}

function matches(file, name) {
  return file === name || file.startsWith(`${name}/`);
}
