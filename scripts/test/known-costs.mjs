import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { root } from '../bootstrap/root.mjs';

const path = join(root, 'scripts/test/costs.json');
/** Shorter files are all alike to the order in which they run. */
const secondsLeast = 3;

/** What files were last measured to cost, by file: seconds, and how many processors they kept busy. */
export function knownCosts() {
  const costs = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
  return (file) => costs[nameOf(file)];
}

/** Writes down what a run measured; good on a machine that did nothing else, and with two processors. */
export function recordCosts(results) {
  const long = results.filter(({ seconds }) => seconds >= secondsLeast).sort(byName);
  const lines = long.map(({ file, seconds, processors }) => {
    const busy = Math.min(0.9, Math.max(0.1, processors));
    return `  ${JSON.stringify(nameOf(file))}: [${Math.round(seconds)}, ${busy.toFixed(1)}]`;
  });
  writeFileSync(path, `{\n${lines.join(',\n')}\n}\n`);
}

/** `kernel/some.test.ts` of a compiled file. */
export function nameOf(file) {
  return relative(join(root, 'dist/test'), file).replace(/\.js$/, '.ts');
}

function byName(a, b) {
  return nameOf(a.file) < nameOf(b.file) ? -1 : 1;
}
