import { readFileSync } from 'node:fs';

/** What can be said of a process that did something. */
export interface ProcessFacts {
  readonly pid: number;
  /** Clock ticks between boot and its start: with the pid it names one process for good. */
  readonly startTime: number;
  /** Its name as a byte string, 15 bytes at most; processes choose it freely. */
  readonly comm: string;
  /** Path of its cgroup in the unified hierarchy, `/` where it has none. */
  readonly cgroup: string;
}

/** Start and name of the process that has this pid now; undefined if there is none. */
export function findStat(pid: number): Pick<ProcessFacts, 'startTime' | 'comm'> | undefined {
  return readStat(pid);
}

/** The same with the letter of its state (proc_pid_stat(5)). */
export function readStat(pid: number): ReturnType<typeof parseStat> {
  return parseStat(readProc(pid, 'stat'));
}

/** Name, start and cgroup of a process; undefined if it is gone. */
export function findProcess(pid: number): ProcessFacts | undefined {
  const stat = findStat(pid);
  const cgroup = readProc(pid, 'cgroup');
  if (stat === undefined || cgroup === undefined) return undefined;
  const { startTime, comm } = stat;
  return { pid, startTime, comm, cgroup: parseCgroup(cgroup) };
}

/**
 * Name, start and state from /proc/PID/stat. The name is in brackets and may have brackets and spaces of its
 * own.
 */
export function parseStat(
  stat: string | undefined,
): { startTime: number; comm: string; state: string } | undefined {
  const open = stat?.indexOf('(') ?? -1;
  const close = stat?.lastIndexOf(') ') ?? -1;
  if (stat === undefined || open < 0 || close < open) return undefined;
  const fields = stat.slice(close + 2).split(' ');
  const [state = ''] = fields;
  const startTime = Number(fields[19]);
  return Number.isSafeInteger(startTime)
    ? { startTime, comm: stat.slice(open + 1, close), state }
    : undefined;
}

/** The unified hierarchy's line of /proc/PID/cgroup is `0::/path`. */
export function parseCgroup(text: string): string {
  const line = text.split('\n').find((each) => each.startsWith('0::'));
  return line?.slice('0::'.length) || '/';
}

/** A file of a process that may end at any moment. */
function readProc(pid: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1');
  } catch (error) {
    if (error instanceof Error && 'code' in error && isProcessLost(error.code)) return undefined;
    throw error;
  }
}

/** Whether an error of /proc says that the process has ended. */
export function isProcessLost(code: unknown): boolean {
  return code === 'ENOENT' || code === 'ESRCH';
}
