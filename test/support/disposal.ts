import { after } from 'node:test';

const pending = new Set<() => void>();
let armed = false;

/**
 * A Disposable that runs `release` exactly once: when disposed, or at the latest when the process ends.
 *
 * Tests hold things that outlive them (mounts, processes), so a failed assertion or a SIGTERM from the
 * runner's timeout must release them too. `release` runs synchronously: at exit nothing else would be waited
 * for.
 */
export function disposable(release: () => void): Disposable {
  const once = (): void => {
    if (pending.delete(once)) release();
  };
  pending.add(once);
  arm();
  return { [Symbol.dispose]: once };
}

/**
 * Keeps a resource until the last test of the file (or suite) has ended, then disposes it.
 *
 * A `using` at the top of a module would dispose it as soon as the module is evaluated, before any test has
 * run.
 */
export function forFile<T extends Disposable>(resource: T): T {
  after(() => resource[Symbol.dispose]());
  return resource;
}

function arm(): void {
  if (armed) return;
  armed = true;
  process.once('exit', releaseAll);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.once(signal, () => process.exit(1));
  }
}

function releaseAll(): void {
  for (const once of [...pending].reverse()) {
    try {
      once();
    } catch (error) {
      process.exitCode = 1;
      process.stderr.write(`could not release: ${String(error)}\n`);
    }
  }
}
