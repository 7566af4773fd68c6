import { readlinkSync } from 'node:fs';
import { isProcessLost, readStat } from './process.ts';

/** Which processes there are, by the numbers that others call them. */
export interface Processes {
  /**
   * When the living process with this pid began, in clock ticks after boot; undefined where there is none, or
   * only what its parent has not collected yet.
   */
  startOf(pid: number): number | undefined;
  /** Whether a process calls others by the same numbers as we: it is in our pid namespace. */
  countsAsWe(pid: number): boolean;
}

/** Reads /proc. */
export const processes: Processes = {
  startOf: (pid) => {
    const stat = readStat(pid);
    // Z and X of proc_pid_stat(5): it has ended.
    return stat === undefined || 'ZX'.includes(stat.state) ? undefined : stat.startTime;
  },
  countsAsWe: (pid) => {
    const theirs = namespaceOf(String(pid));
    return theirs !== undefined && theirs === namespaceOf('self');
  },
};

/** Undefined where the process is gone, or we may not look. */
function namespaceOf(process: string): string | undefined {
  try {
    return readlinkSync(`/proc/${process}/ns/pid`);
  } catch (error) {
    if (error instanceof Error && 'code' in error && isRefused(error.code)) return undefined;
    throw error;
  }
}

function isRefused(code: unknown): boolean {
  return isProcessLost(code) || code === 'EACCES' || code === 'EPERM';
}
