import { isSystemCallError } from '../sys/errno.ts';

/**
 * Why an iterator cannot be had, ending a sentence; anything that is no answer of the kernel's is thrown on.
 */
export function whyNoIterator(error: unknown, need: string): string {
  if (isSystemCallError(error, 'EPERM', 'EACCES')) {
    return `${error.syscall} answered ${error.errno}; it needs CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN)`;
  }
  if (isSystemCallError(error) || error instanceof RangeError) return `${error.message}; ${need}`;
  throw error;
}
