import { readFileSync } from 'node:fs';

/** USER_HZ, in which /proc counts (proc_pid_stat(5)). */
const ticksPerSecond = 100;

/** Seconds of processor a process has taken so far, in user mode and in the kernel. */
export function cpuSeconds(pid: number): number {
  const [, , , , , , , , , , , user, system] = statOf(pid);
  return (Number(user) + Number(system)) / ticksPerSecond;
}

/** The same of all children of this process that have ended, and of theirs. */
export function endedChildrenCpuSeconds(): number {
  const [, , , , , , , , , , , , , user, system] = statOf(process.pid);
  return (Number(user) + Number(system)) / ticksPerSecond;
}

/** The fields after the name, which may hold anything. */
function statOf(pid: number): readonly string[] {
  return readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
}
