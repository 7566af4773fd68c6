/**
 * Preloaded into every test process by scripts/test.mjs: a test file that ends with a BPF object still open
 * has failed, whatever its assertions said. An open descriptor is exactly the leak Pinfold exists to find.
 */
import { isMainThread } from 'node:worker_threads';
import { bpfFds } from './leaks.ts';

if (isMainThread) {
  process.on('exit', () => {
    const open = [...bpfFds()].map(([fd, target]) => `${fd} → ${target}`);
    if (open.length === 0) return;
    process.stderr.write(`left open by ${process.argv[1]}: ${open.join(', ')}\n`);
    process.exitCode = 1;
  });
}
