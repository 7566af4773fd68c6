import type { MachineFacts } from '../../model/local.ts';
import { type Check, fail, ok, warn } from './check.ts';

/** What each capability is for, so that whoever grants fewer knows what is lost. */
const purposes: Readonly<Record<string, string>> = {
  CAP_SYS_ADMIN: 'find objects by id',
  CAP_SYS_CHROOT: 'see pins in mount namespaces that no process is in',
  CAP_DAC_READ_SEARCH: 'name control groups by their ids',
  CAP_CHOWN: 'give pins an owner',
  CAP_FOWNER: 'change the mode of pins of other users',
  CAP_DAC_OVERRIDE: 'read and remove pins of other users',
  CAP_SYS_PTRACE: 'see what processes hold, and bpffs mounts of other namespaces',
  CAP_PERFMON: 'read reference counts through BPF iterators',
  CAP_BPF: 'load those iterators',
};

/** Who we are, and what the kernel lets us do. */
export function checkPrivilege(facts: MachineFacts): Check[] {
  const user =
    facts.uid === 0
      ? ok('user', 'running as root')
      : fail(
          'user',
          `running as uid ${facts.uid}`,
          'Run pinfold as root; only then can it see and change pins of others.',
        );
  const has = (name: string): boolean => facts.capabilities.includes(name);
  const missing = Object.keys(purposes).filter(
    (name) => !has(name) && !(isImplied(name) && has('CAP_SYS_ADMIN')),
  );
  if (missing.length === 0) return [user, ok('capabilities', 'all that are needed')];
  const lost = missing.map((name) => `${name} (to ${purposes[name]})`).join(', ');
  const advice = 'Grant them to the service, or run `pinfold agent --pins-only`, which needs none.';
  const isFatal = missing.includes('CAP_SYS_ADMIN');
  return [user, (isFatal ? fail : warn)('capabilities', `missing: ${lost}`, advice)];
}

/** CAP_SYS_ADMIN stands in for the two that were split from it in Linux 5.8 (capabilities(7)). */
function isImplied(name: string): boolean {
  return name === 'CAP_BPF' || name === 'CAP_PERFMON';
}
