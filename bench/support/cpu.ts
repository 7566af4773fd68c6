import { readFileSync } from 'node:fs';

/** USER_HZ, in which /proc counts (proc_pid_stat(5)). */
const ticksPerSecond = 100;

/** Seconds of processor a process has taken so far, in user mode and in the kernel. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
