import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
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

/** How long a child is waited for: machines may be busy with others. */
const patienceMs = 60_000;

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
  const said = record(child);
  const hasEnded = (): boolean => said.exit !== undefined || said.failure !== undefined;
  const kill = (signal: NodeJS.Signals = 'SIGKILL'): void => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
  };
  return {
    pid: child.pid ?? -1,
    lines: said.lines,
    stderr: () => said.complaints,
    ended: () => said.exit,
    line: async (matching = /^/, timeoutMs = patienceMs) => {
      const what = `a line like ${matching} from ${title}`;
      const look = (): { line?: string | undefined; ended: boolean } => ({
        ended: hasEnded(),
        line: take(said, matching),
      });
      const isOver = (seen: ReturnType<typeof look>): boolean => seen.ended || seen.line !== undefined;
      const last = await until(what, look, isOver, { timeoutMs, everyMs: 5 });
      if (last.line === undefined) {
        throw new Error(`${title} ended before ${what}: ${said.failure ?? said.complaints}`);
      }
      return last.line;
    },
    write: (line) => void child.stdin.write(`${line}\n`),
    end: () => void child.stdin.end(),
    kill,
    exit: async (timeoutMs = patienceMs) => {
      try {
        await until(`the end of ${title}`, hasEnded, Boolean, { timeoutMs, everyMs: 5 });
      } catch (error) {
        kill();
        throw error;
      }
      if (said.exit === undefined) throw said.failure;
      return said.exit;
    },
    ...disposable(() => {
      kill();
      killGroup(child.pid);
      for (const stream of child.stdio) stream?.destroy();
    }),
  };
}

/** What a child has said and how it ended, so far. */
interface Transcript {
  readonly lines: string[];
  /** How many of the lines `line` has given or passed over. */
  taken: number;
  complaints: string;
  exit?: Exit;
  failure?: Error;
}

function record(child: ChildProcessWithoutNullStreams): Transcript {
  const said: Transcript = { lines: [], taken: 0, complaints: '' };
  onLines(child.stdout, (line) => said.lines.push(line));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said.complaints += text;
  });
  // Writing to a child that has just ended is no failure of the test's.
  child.stdin.on('error', () => undefined);
  child.once('error', (error) => {
    said.failure = error;
  });
  child.once('close', (code, signal) => {
    said.exit = { code, signal };
  });
  return said;
}

function take(said: Transcript, matching: RegExp): string | undefined {
  const at = said.lines.findIndex((line, index) => index >= said.taken && matching.test(line));
  if (at === -1) return undefined;
  said.taken = at + 1;
  return said.lines[at];
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
