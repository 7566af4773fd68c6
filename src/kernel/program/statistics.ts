import { PinfoldError } from '../../model/error.ts';
import { bpf } from '../bpf/call.ts';
import { Struct } from '../bpf/struct.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Fd, FdTable } from '../sys/fd.ts';

/** `struct { __u32 type; } enable_stats` of union bpf_attr. */
const enableStats = { size: 4, type: 0 } as const;

/** BPF_STATS_RUN_TIME of enum bpf_stats_type. */
const runTime = 0;

/**
 * Has the kernel measure how often and how long every program runs, until this is disposed and nobody else
 * asks for it either. Costs each run of a program two readings of the clock. Linux 5.8.
 *
 * The descriptor is on no object, so it keeps nothing alive.
 * @throws PinfoldError not_supported, permission_denied
 */
export function enableStatistics(fds: FdTable): Fd {
  const attr = new Struct(enableStats.size).u32(enableStats.type, runTime);
  try {
    return fds.adopt(bpf('BPF_ENABLE_STATS', attr), 'run statistics', 'request');
  } catch (error) {
    if (isSystemCallError(error, 'EINVAL')) {
      throw new PinfoldError('not_supported', { detail: 'Run statistics need Linux 5.8.' }, error);
    }
    if (isSystemCallError(error, 'EPERM')) {
      const detail = 'Run statistics need CAP_SYS_ADMIN.';
      throw new PinfoldError(
        'permission_denied',
        { detail, syscall: error.syscall, errno: error.errno },
        error,
      );
    }
    throw error;
  }
}
