/**
 * The quick look before a commit: the repository's own rules (lint and format among them), unit tests.
 * Types have been checked by the build that `scripts/bootstrap.mjs check` made. Needs neither root nor eBPF.
 */
import { spawnSync } from 'node:child_process';
import { root } from './bootstrap/root.mjs';
import { selectTests } from './test/select.mjs';

const run = spawnSync(
  process.execPath,
  ['--enable-source-maps', '--test', '--test-concurrency=2', ...selectTests(['repo', 'unit'])],
  { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
);
process.exitCode = run.status ?? 1;
