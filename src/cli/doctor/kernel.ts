import { escapeText } from '../../model/escape.ts';
import type { MachineFacts } from '../../model/local.ts';
import { type Check, fail, ok, warn } from './check.ts';

/** What this kernel can do: bpf(2), type information, and one line for each feature that is not there. */
export function checkKernel(facts: MachineFacts): Check[] {
  const release = `Linux ${escapeText(facts.release)}`;
  if (facts.bpfRefused !== undefined) {
    const advice =
      'Run as root with CAP_SYS_ADMIN, with CONFIG_BPF_SYSCALL, and no seccomp profile that denies bpf(2).';
    return [fail('bpf(2)', `${release} refuses it: ${escapeText(facts.bpfRefused)}`, advice)];
  }
  const btf = facts.hasBtf
    ? ok('kernel BTF', '/sys/kernel/btf/vmlinux is there')
    : warn(
        'kernel BTF',
        '/sys/kernel/btf/vmlinux is missing: reference counts cannot be read',
        'Use a kernel with CONFIG_DEBUG_INFO_BTF=y.',
      );
  const missing = facts.features.filter((feature) => !feature.available);
  const features = missing.map((feature) => {
    const reason = feature.reason === undefined ? 'not available' : escapeText(feature.reason);
    return warn(escapeText(feature.name), reason, `Linux ${escapeText(feature.since)} has it.`);
  });
  const summary = `${facts.features.length - missing.length} of ${facts.features.length} features`;
  return [ok('bpf(2)', `${release}, ${summary}`), btf, ...features];
}
