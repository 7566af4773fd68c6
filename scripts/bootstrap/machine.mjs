import { readFileSync } from 'node:fs';
import { Problem } from './problem.mjs';

const nodeLeast = [20, 19];
/** include/uapi/linux/capability.h */
const CAP_SYS_ADMIN = 21n;

/** @throws Problem when this Node is older than package.json's `engines` says. */
export function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [leastMajor, leastMinor] = nodeLeast;
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return;
  throw new Problem(`this is Node ${process.versions.node}; install Node ${nodeLeast.join('.')} or newer.`);
}

/**
 * @throws Problem when this process cannot use bpf(2): no Linux, not root, no CAP_SYS_ADMIN, or a kernel
 * without it.
 */
export function checkKernel() {
  if (process.platform !== 'linux') throw new Problem(`eBPF needs Linux, and this is ${process.platform}.`);
  if (process.getuid() !== 0) throw new Problem('not root; run it as root, for example with sudo.');
  if (!hasCapability(CAP_SYS_ADMIN)) {
    throw new Problem(
      'CAP_SYS_ADMIN is missing, as in a container; add it (docker run --cap-add SYS_ADMIN).',
    );
  }
  if (!isHostUserNamespace()) {
    throw new Problem('root of a user namespace only, as in a rootless container; run it as real root.');
  }
  if (!/\tbpf$/m.test(readFileSync('/proc/filesystems', 'utf8'))) {
    throw new Problem(
      'this kernel has no bpf(2); use one built with CONFIG_BPF_SYSCALL, as all distributions do.',
    );
  }
}

/** Only the first user namespace maps all ids to themselves; bpf(2) asks for capabilities in that one. */
function isHostUserNamespace() {
  return /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'utf8'));
}

function hasCapability(number) {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> number) & 1n) === 1n;
}
