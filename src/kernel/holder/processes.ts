import { readFileSync } from 'node:fs';
import { ownerOfCgroup } from '../../model/holder/cgroup.ts';
import type { ProcessFact } from '../../model/holder/facts.ts';
import { findStat, parseCgroup } from '../proc/process.ts';
import type { Collection } from './collection.ts';

/** USER_HZ, in which /proc counts, as milliseconds (proc_pid_stat(5)). */
const tickMs = 10;

/**
 * Every process that the facts name; those that have ended since are left out, and so are those that began
 * after files were read: they have the number of one that has ended, and hold nothing of what it held.
 *
 * @param readAtMs when files were read, in milliseconds since boot
 */
export function readProcesses(facts: Collection, readAtMs: number): ReadonlyMap<number, ProcessFact> {
  const pids = new Set<number>();
  for (const { descriptors, mappings } of facts.files) {
    for (const { pid } of [...descriptors, ...mappings]) pids.add(pid);
  }
  for (const { pid } of facts.openInodes) pids.add(pid);
  for (const { event } of facts.attachments) if (event !== undefined) pids.add(event.pid);
  for (const { descriptors, paths, standing = [] } of facts.filesystems) {
    for (const { pid } of [...descriptors, ...paths]) if (pid !== undefined) pids.add(pid);
    for (const pid of standing) pids.add(pid);
  }
  const processes = new Map<number, ProcessFact>();
  for (const pid of pids) {
    const process = readProcess(pid);
    if (process !== undefined && process.startTime * tickMs <= readAtMs) processes.set(pid, process);
  }
  return processes;
}

function readProcess(pid: number): ProcessFact | undefined {
  const stat = findStat(pid);
  if (stat === undefined) return undefined;
  return { pid, ...stat, cgroup: parseCgroupOfAny(readCgroup(pid)) };
}

/**
 * Of the paths of a process that /proc/PID/cgroup lists, one for each hierarchy (cgroups(7)), the first that
 * names a container, else whom it works for at all, else one that is not the root; that of the unified
 * hierarchy comes before all others. Where both versions are in use, container runtimes make groups in those
 * of version 1, and in the unified one a container stays where its runtime is. Byte strings.
 */
export function parseCgroupOfAny(text: string): string {
  const others = text.split('\n').flatMap((line) => /^[1-9]\d*:[^:]*:(.+)$/.exec(line)?.[1] ?? []);
  const paths = [parseCgroup(text), ...others].filter((path) => path !== '/');
  const owners = paths.map((path) => ({ path, owner: ownerOfCgroup(path) }));
  const telling =
    owners.find(({ owner }) => owner.container !== undefined) ??
    owners.find(({ owner }) => Object.keys(owner).length > 0);
  return telling?.path ?? paths[0] ?? '/';
}

function readCgroup(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'latin1');
  } catch {
    return '';
  }
}
