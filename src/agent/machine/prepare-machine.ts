import { existsSync, statfsSync } from 'node:fs';
import type { Kernel } from '../../kernel/kernel.ts';
import type { AgentConfig } from '../../model/config.ts';
import { PinfoldError } from '../../model/error.ts';
import type { Log } from '../../model/log.ts';

/** Says what is missing before anything is begun. @throws PinfoldError permission_denied */
export function assertAble({ pinsOnly }: AgentConfig, { facts }: Kernel): void {
  if (process.getuid?.() !== 0) {
    throw new PinfoldError('permission_denied', {
      detail: 'The agent manages pins of root: run it as root.',
    });
  }
  const missing = facts.features.find(({ name, available }) => name === 'map_ids' && !available);
  if (pinsOnly || missing === undefined) return;
  throw new PinfoldError('permission_denied', {
    detail:
      `bpf(2) does not list objects here (${missing.reason ?? 'no reason given'}): ` +
      'run the agent with CAP_SYS_ADMIN on a kernel with BPF, or with --pins-only.',
  });
}

/** f_type of statfs(2) on a bpffs (include/uapi/linux/magic.h, BPF_FS_MAGIC). */
const bpffsMagic = 0xcafe4a11;

/**
 * Makes sure of the primary bpffs; mounts one only where that was asked for. @throws PinfoldError
 * mount_unavailable
 */
export function prepareBpffs({ bpffs, mountBpffs }: AgentConfig, kernel: Kernel, log: Log): void {
  const isThere = existsSync(bpffs);
  if (isThere && statfsSync(bpffs).type === bpffsMagic) return;
  if (isThere && mountBpffs) {
    kernel.bpffs.mount(bpffs);
    log.info('mounted a bpffs, because nothing was mounted there', { path: bpffs });
    return;
  }
  throw new PinfoldError('mount_unavailable', {
    detail: isThere
      ? `No bpffs is mounted at ${bpffs}: start the agent with --mount-bpffs, or mount -t bpf bpf ${bpffs}.`
      : `There is no directory ${bpffs}: name the path of a bpffs with --bpffs.`,
  });
}
