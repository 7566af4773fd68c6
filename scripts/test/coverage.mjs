import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from '../bootstrap/root.mjs';

/**
 * Line coverage of a folder, from what V8 counts in every process of the run: tests, workers, agents that end
 * gracefully (a killed one writes nothing). `env` is for the run; `report` prints the summary and gives the
 * percentage.
 */
export function coverageOf(folder) {
  const counts = mkdtempSync(join(tmpdir(), 'pinfold-coverage-'));
  process.once('exit', () => rmSync(counts, { recursive: true, force: true }));
  return {
    env: { NODE_V8_COVERAGE: counts },
    report: () => {
      keepOnly(counts, pathToFileURL(join(root, 'dist', folder)).href);
      return summarize(counts, folder);
    },
  };
}

/**
 * Takes what is not ours (node_modules, tests) out of the files: they are large, and c8 reads all of them at
 * once.
 */
function keepOnly(counts, prefix) {
  for (const name of readdirSync(counts)) {
    const path = join(counts, name);
    const { result, timestamp, 'source-map-cache': maps = {} } = JSON.parse(readFileSync(path, 'utf8'));
    const isOurs = (url) => url.startsWith(`${prefix}/`);
    const ours = Object.fromEntries(Object.entries(maps).filter(([url]) => isOurs(url)));
    const kept = { result: result.filter(({ url }) => isOurs(url)), timestamp, 'source-map-cache': ours };
    writeFileSync(path, JSON.stringify(kept));
  }
}

function summarize(counts, folder) {
  const out = join(root, 'coverage');
  const args = ['report', `--temp-directory=${counts}`, `--reports-dir=${out}`];
  args.push('--reporter=text-summary', '--reporter=json-summary', '--reporter=lcovonly');
  // `--all` finds the files no process loaded, among what was built; both names of a file must be included.
  args.push('--all', `--src=dist/${folder}`, `--include=dist/${folder}/**`, `--include=${folder}/**`);
  args.push('--exclude-after-remap', ...typesOnly(join('dist', folder)).map((file) => `--exclude=${file}`));
  args.unshift(join(root, 'node_modules/c8/bin/c8.js'));
  execFileSync(process.execPath, args, { cwd: root, stdio: ['ignore', 1, 2], env: withoutCoverage() });
  const { total, ...byFile } = JSON.parse(readFileSync(join(out, 'coverage-summary.json'), 'utf8'));
  for (const [file, { lines }] of Object.entries(byFile)) {
    if (lines.pct < 80)
      console.log(`  ${file.slice(root.length + 1)}: ${lines.pct} % of ${lines.total} lines`);
  }
  console.log(`Line coverage of ${folder}: ${total.lines.pct} %`);
  return total.lines.pct;
}

/** Modules that declare types and nothing else have no line that could run. */
function typesOnly(folder) {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => name.endsWith('.js')).map((name) => join(folder, name));
  const codeOf = (file) =>
    readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  return files.filter((file) => codeOf(file).trim() === 'export {};');
}

function withoutCoverage() {
  const { NODE_V8_COVERAGE: _, ...env } = process.env;
  return env;
}
