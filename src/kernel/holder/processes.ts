import { readFileSync } from 'node:fs';
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
 * A process's path in the unified hierarchy; where that is the root, its path in the first hierarchy of
 * version 1 in which it is elsewhere, as /proc/PID/cgroup lists them (cgroups(7)). Byte strings.
 */
export function parseCgroupOfAny(text: string): string {
  const unified = parseCgroup(text);
  if (unified !== '/') return unified;
  for (const line of text.split('\n')) {
    const path = /^\d+:[^:]*:(.*)$/.exec(line)?.[1];
    if (path !== undefined && path !== '/' && path !== '') return path;
  }
  return '/';
}

function readCgroup(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'latin1');
  } catch {
    return '';
  }
}
