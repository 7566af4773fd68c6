import assert from 'node:assert/strict';
import { PassThrough, Readable } from 'node:stream';
import { runCli } from '../../src/cli/run-cli.ts';

/** A command line that runs on. */
export interface Watching {
  /** What it has printed so far; grows. */
  readonly lines: readonly string[];
  /** Its exit code, once it has ended. */
  readonly ended: Promise<number>;
  /** Whoever read it has gone, as a closed pipe says it. */
  close(): void;
}

/** Starts a command that goes on until nobody reads, in this process and as with a pipe. */
export function watching(words: readonly string[]): Watching {
  const stdout = new PassThrough();
  const lines: string[] = [];
  stdout.on('data', (chunk: Buffer) => lines.push(...chunk.toString().trimEnd().split('\n')));
  const io = {
    stdin: Readable.from([]),
    stdout,
    stderr: new PassThrough(),
    env: {},
    columns: 80,
    rows: 40,
    now: () => new Date(),
    isTTY: { stdin: false, stdout: false, stderr: false },
  };
  const absent = (): never => assert.fail('not asked here');
  const reads = { inspect: absent, leave: absent, verifyHistory: absent };
  const authority = { init: absent, issue: absent };
  const runs = { runAgent: absent, runManager: absent, authority };
  const local = { version: '0', ...runs, initCluster: absent, ...reads };
  const ended = runCli(words, io, local);
  const close = (): void => void stdout.destroy(Object.assign(new Error('gone'), { code: 'EPIPE' }));
  return { lines, ended, close };
}
