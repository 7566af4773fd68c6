import { PassThrough, Readable } from 'node:stream';
import { localMachine } from '../../src/agent/machine/local-machine.ts';
import { runCli } from '../../src/cli/run-cli.ts';
import { authority } from '../../src/cluster/pki/authority.ts';
import { writeClusterKey } from '../../src/cluster/signing/key-file.ts';
import type { Settings } from '../../src/model/config.ts';
import { realClock } from './observed.ts';

/** What one command line printed, and its exit code. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** What surrounds a command line; everything has a default without a terminal. */
export interface CommandOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether output goes to a terminal. */
  readonly isTerminal?: boolean;
  readonly runAgent?: (flags: Settings) => Promise<number>;
}

/** The version that command lines in tests say they have. */
export const cliVersion = '9.9.9';

/** Runs `pinfold WORD…` in this process, with streams of its own. */
export async function commandLine(words: readonly string[], options: CommandOptions = {}): Promise<Ran> {
  const { stdin = '', env = {}, isTerminal = false } = options;
  const [stdout, out] = collector();
  const [stderr, err] = collector();
  const isTTY = { stdin: isTerminal, stdout: isTerminal, stderr: isTerminal };
  const io = {
    stdin: Readable.from([stdin]),
    stdout,
    stderr,
    env,
    isTTY,
    columns: 100,
    rows: 40,
    now: () => new Date(),
  };
  const runAgent = options.runAgent ?? (() => Promise.reject(new Error('no agent is to be run here')));
  const code = await runCli(words, io, {
    version: cliVersion,
    runAgent,
    runManager: runAgent,
    authority,
    initCluster: async (file) => writeClusterKey(file),
    ...localMachine(realClock, cliVersion),
  });
  return { code, out: out(), err: err() };
}

function collector(): readonly [PassThrough, () => string] {
  const chunks: Buffer[] = [];
  const stream = new PassThrough();
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return [stream, () => Buffer.concat(chunks).toString('utf8')];
}
