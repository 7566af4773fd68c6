import { closeSync, openSync, readSync } from 'node:fs';
import type { Fd } from '../sys/fd.ts';

/** `/proc/self/fdinfo/N` by key; what fdinfo tells of an object and its info structure does not. */
export type FdInfo = ReadonlyMap<string, string>;

/**
 * All that is read: what is wanted comes first, and some links go on with a line for each place they probe
 * (kernel/trace/bpf_trace.c).
 */
const READ_BYTES = 4096;

/** Reads what the kernel tells of one of our descriptors; one read, half the time of readFileSync. */
export function readFdInfo(fd: Fd): FdInfo {
  const text = Buffer.allocUnsafe(READ_BYTES);
  const file = openSync(`/proc/self/fdinfo/${fd.number}`, 'r');
  try {
    return parseFdInfo(text.toString('latin1', 0, readSync(file, text)));
  } finally {
    closeSync(file);
  }
}

/** Lines of `key:<tab>value`; a line without a colon says nothing. */
export function parseFdInfo(text: string): FdInfo {
  const found = new Map<string, string>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) found.set(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return found;
}

/** A decimal number of fdinfo; undefined where it is absent or no number. */
export function fdInfoNumber(fdInfo: FdInfo, key: string): number | undefined {
  const value = fdInfo.get(key);
  return value !== undefined && /^\d+$/.test(value) ? Number(value) : undefined;
}

/** A flag of fdinfo, 0 or 1; undefined where it is absent. */
export function fdInfoFlag(fdInfo: FdInfo, key: string): boolean | undefined {
  const value = fdInfoNumber(fdInfo, key);
  return value === undefined ? undefined : value !== 0;
}
