import { readFileSync } from 'node:fs';

/** Capabilities by bit (include/uapi/linux/capability.h). */
const names = `
  chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service
  net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct
  sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control
  setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore
`
  .trim()
  .split(/\s+/);

/**
 * The effective capabilities of this process, as `CAP_SYS_ADMIN`; `CAP_<N>` for one this build does not know.
 */
export function readCapabilities(): readonly string[] {
  return parseCapabilities(readFileSync('/proc/self/status', 'latin1'));
}

/** The same from the text of /proc/PID/status. */
export function parseCapabilities(status: string): readonly string[] {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0';
  const bits = BigInt(`0x${effective}`);
  return Array.from({ length: 64 }, (_, bit) => bit)
    .filter((bit) => (bits >> BigInt(bit)) & 1n)
    .map((bit) => `CAP_${names[bit]?.toUpperCase() ?? bit}`);
}
