/**
 * The quick look before a commit: lint and format, the repository's own rules, unit tests. Types have been
 * checked by the build that `scripts/bootstrap.mjs check` made. Needs neither root nor eBPF.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './bootstrap/root.mjs';
import { selectTests } from './test/select.mjs';

const steps = {
  lint: [join(root, 'node_modules/@biomejs/biome/bin/biome'), 'check', '--error-on-warnings'],
  tests: ['--enable-source-maps', '--test', '--test-concurrency=2', ...selectTests(['repo', 'unit'])],
};

for (const [name, args] of Object.entries(steps)) {
  const { status } = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) {
    console.error(`✖ ${name} failed`);
    process.exitCode = 1;
  }
}
