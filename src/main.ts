import { runCli } from './cli/run-cli.ts';
import { processClock, readVersion } from './start/process.ts';

export { type RunningAgent, type Surroundings, startAgent } from './start/agent.ts';

const version = readVersion();

/** Runs one command line; resolves with its exit code. */
export async function main(words: readonly string[]): Promise<number> {
  const { stdin, stdout, stderr, env } = process;
  const isTTY = { stdin: stdin.isTTY, stdout: stdout.isTTY, stderr: stderr.isTTY };
  const io = {
    stdin,
    stdout,
    stderr,
    env,
    isTTY,
    get columns() {
      return stdout.columns || 80;
    },
    get rows() {
      return stdout.rows || 24;
    },
    now: () => processClock.now(),
  };
  return await runCli(words, io, {
    version,
    runAgent: async (flags) => await (await import('./start/run.ts')).runAgent(flags, env),
    runManager: async (flags) => await (await import('./start/run.ts')).runManager(flags, env),
    initCluster: async (file) => (await import('./cluster/signing/key-file.ts')).writeClusterKey(file),
    authority: {
      init: async (dir, days) => await (await loadAuthority()).init(dir, days),
      issue: async (dir, wish) => await (await loadAuthority()).issue(dir, wish),
    },
    inspect: async (places) => await (await loadMachine()).inspect(places),
    leave: async (places, options) => await (await loadMachine()).leave(places, options),
    verifyHistory: async (stateDir) => await (await loadMachine()).verifyHistory(stateDir),
  });
}

/** For the commands that look at this machine without an agent. */
async function loadMachine() {
  const { localMachine } = await import('./agent/machine/local-machine.ts');
  return localMachine(processClock, version);
}

/** The library behind it takes a moment to load, which only these commands wait for. */
async function loadAuthority() {
  return (await import('./cluster/pki/authority.ts')).authority;
}

/** bin/pinfold calls main; so does this file when it is run itself. */
if (process.argv[1] === import.meta.filename) process.exitCode = await main(process.argv.slice(2));
