import type { Judgement, Rule } from '../rule.ts';
import { mountSubject, mountWords } from '../words.ts';
import type { World } from '../world.ts';

/** Instances in whose root anybody may make names. */
export const bpffsWritable: Rule = {
  id: 'bpffs_writable',
  title: 'World-writable bpffs',
  severities: ['warning'],
  needs: [],
  meaning:
    'Any local user can make directories, symbolic links and pins in the root of this bpffs. A privileged ' +
    'program that goes by a name there can be led elsewhere. It is what mount(8) gives without options.',
  advice: 'chmod 0700 its root, or mount it with `-o mode=0700`.',
  *judge(world: World): Iterable<Judgement> {
    for (const mount of world.mounts) {
      if (mount.mode === undefined || (Number.parseInt(mount.mode, 8) & 0o002) === 0 || mount.read_only)
        continue;
      yield {
        severity: 'warning',
        subject: mountSubject(mount),
        summary: `Everybody may write to the root of the ${mountWords(mount)} (mode ${mount.mode}).`,
        evidence: { mode: mount.mode, uid: mount.uid ?? 0 },
      };
    }
  },
};
