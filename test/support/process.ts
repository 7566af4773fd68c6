import { spawn } from 'node:child_process';
import { disposable } from './disposal.ts';
import { until } from './until.ts';

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A child process that surely ends with the test: disposing kills it and everything it started. */
export interface Child extends Disposable {
  readonly pid: number;
  /** The lines it has written to standard output so far; grows while it runs. */
  readonly lines: readonly string[];
  /** All it has written to standard error so far. */
  stderr(): string;
  /** How it ended; undefined while it runs. */
  ended(): Exit | undefined;
  /** Waits for the next line not yet taken that matches, and takes it; earlier lines are passed over. */
  line(matching?: RegExp, timeoutMs?: number): Promise<string>;
  /** Writes one line to its standard input. */
  write(line: string): void;
  /** Ends its standard input, which the helper programs take as the sign to stop. */
  end(): void;
  /** Sends a signal, SIGKILL unless told; does nothing once it has ended. */
  kill(signal?: NodeJS.Signals): void;
  /** Waits for its end, and fails (killing it) when that takes longer than `timeoutMs`. */
  exit(timeoutMs?: number): Promise<Exit>;
}

/** What may be set for a child. */
export interface StartOptions {
  readonly cwd?: string;
  /** Added to this process's environment; an undefined value takes the name away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Starts a program, never through a shell, with pipes on its standard input, output and error.
 *
 * It leads a process group of its own, so that what it starts can be ended with it.
 */
export function start(command: string, args: readonly string[] = [], options: StartOptions = {}): Child {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    detached: true,
  });
  const title = [command, ...args].join(' ');
  const lines: string[] = [];
  let taken = 0;
  let complaints = '';
  let exit: Exit | undefined;
  let failure: Error | undefined;
  onLines(child.stdout, (line) => lines.push(line));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });
  child.stdin.on('error', () => undefined);
  child.once('error', (error) => {
    failure = error;
  });
  child.once('close', (code, signal) => {
    exit = { code, signal };
  });

  const hasEnded = (): boolean => exit !== undefined || failure !== undefined;
  const kill = (signal: NodeJS.Signals = 'SIGKILL'): void => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
  };
  const find = (matching: RegExp): string | undefined => {
    const at = lines.findIndex((line, index) => index >= taken && matching.test(line));
    if (at === -1) return undefined;
    taken = at + 1;
    return lines[at];
  };
  return {
    pid: child.pid ?? -1,
    lines,
    stderr: () => complaints,
    ended: () => exit,
    line: async (matching = /^/, timeoutMs = 15_000) => {
      const what = `a line like ${matching} from ${title}`;
      const seen = (): { line: string | undefined; ended: boolean } => ({
        ended: hasEnded(),
        line: find(matching),
      });
      const last = await until(what, seen, ({ line, ended }) => ended || line !== undefined, {
        timeoutMs,
        everyMs: 5,
      });
      if (last.line === undefined) throw new Error(`${title} ended before ${what}: ${failure ?? complaints}`);
      return last.line;
    },
    write: (line) => void child.stdin.write(`${line}\n`),
    end: () => void child.stdin.end(),
    kill,
    exit: async (timeoutMs = 15_000) => {
      try {
        await until(`the end of ${title}`, hasEnded, Boolean, { timeoutMs, everyMs: 5 });
      } catch (error) {
        kill();
        throw error;
      }
      if (exit === undefined) throw failure;
      return exit;
    },
    ...disposable(() => {
      kill();
      killGroup(child.pid);
      for (const stream of child.stdio) stream?.destroy();
    }),
  };
}

/** Ends what a child has started and left behind; where nothing is left there is no such group. */
function killGroup(leader: number | undefined): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function onLines(stream: NodeJS.ReadableStream, take: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    parts.forEach(take);
  });
  stream.on('end', () => {
    if (rest !== '') take(rest);
  });
}
