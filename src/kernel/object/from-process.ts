import { type ErrorDetails, PinfoldError } from '../../model/error.ts';
import { findStat } from '../proc/process.ts';
import type { Calls } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Fd } from '../sys/fd.ts';

/** A descriptor of another process; `startTime` (clock ticks after boot) guards against a reused pid. */
export interface ProcessSource {
  readonly pid: number;
  readonly fd: number;
  readonly startTime?: number;
}

/**
 * Duplicates another process's descriptor, whatever it is on.
 *
 * The pidfd is what is duplicated from; the start time is compared with the process that has the pid before
 * it is opened and again after it, so that it cannot be another process's.
 *
 * @throws PinfoldError source_not_found, source_mismatch, permission_denied
 * Kernel: pidfd_open (5.3), pidfd_getfd (5.6, needs the right to ptrace the process).
 */
export function duplicateFromProcess(calls: Calls, source: ProcessSource): Fd {
  const before = checkStartTime(source);
  try {
    using pidfd = calls.pidfdOpen(source.pid);
    if (checkStartTime(source) !== before) throw mismatch(source, 'the process ended meanwhile');
    return calls.pidfdGetfd(pidfd, source.fd);
  } catch (error) {
    throw refusal(error, source);
  }
}

/** A pidfd of a process, which may be told by its start time, too. @throws PinfoldError as above */
export function openProcess(calls: Calls, process: Omit<ProcessSource, 'fd'>): Fd {
  const source = { ...process, fd: -1 };
  const before = checkStartTime(source);
  try {
    const pidfd = calls.pidfdOpen(source.pid);
    if (findStat(source.pid)?.startTime === before) return pidfd;
    pidfd[Symbol.dispose]();
    throw mismatch(source, 'the process ended meanwhile');
  } catch (error) {
    throw refusal(error, source);
  }
}

function checkStartTime(source: ProcessSource): number {
  const found = findStat(source.pid)?.startTime;
  if (found === undefined) throw notFound(source, `There is no process ${source.pid}.`);
  if (source.startTime !== undefined && found !== source.startTime) {
    throw mismatch(source, `it started at ${found}, not at ${source.startTime}`);
  }
  return found;
}

function refusal(error: unknown, source: ProcessSource): unknown {
  if (isSystemCallError(error, 'ESRCH', 'EINVAL', 'ENOENT')) {
    const { syscall, errno } = error;
    return notFound(source, `There is no process ${source.pid} (a thread's number is none).`, {
      syscall,
      errno,
    });
  }
  if (isSystemCallError(error, 'EBADF')) {
    const { syscall, errno } = error;
    return notFound(source, `Process ${source.pid} has no descriptor ${source.fd}.`, { syscall, errno });
  }
  if (isSystemCallError(error, 'EPERM')) {
    const { syscall, errno } = error;
    const detail =
      `The kernel keeps descriptor ${source.fd} of process ${source.pid} from this process: that needs ` +
      'CAP_SYS_PTRACE, every capability which that process has, and a security module that allows it.';
    return new PinfoldError('permission_denied', { detail, syscall, errno }, error);
  }
  return error;
}

function notFound(source: ProcessSource, detail: string, more: ErrorDetails = {}): PinfoldError {
  return new PinfoldError('source_not_found', { detail, pid: source.pid, fd: source.fd, ...more });
}

function mismatch(source: ProcessSource, why: string): PinfoldError {
  const detail = `Process ${source.pid} is not the expected one: ${why}.`;
  return new PinfoldError('source_mismatch', { detail, pid: source.pid, fd: source.fd });
}
