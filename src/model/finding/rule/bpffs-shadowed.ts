import type { Judgement, Rule } from '../rule.ts';
import { mountSubject, mountWords } from '../words.ts';
import type { World } from '../world.ts';

/** Instances over all of whose paths something else is mounted. */
export const bpffsShadowed: Rule = {
  id: 'bpffs_shadowed',
  title: 'Shadowed bpffs',
  severities: ['warning'],
  needs: [],
  meaning:
    'Another mount lies over every path of this bpffs. Its pins live on and hold their objects, but no ' +
    'path leads to them, and tools that go by paths do not show them.',
  advice: 'Unmount what lies over it, or unmount both where its pins are not wanted.',
  *judge(world: World): Iterable<Judgement> {
    for (const mount of world.mounts) {
      if (!mount.shadowed) continue;
      yield {
        severity: 'warning',
        subject: mountSubject(mount),
        summary: `Another mount hides the ${mountWords(mount)} and all its pins.`,
        evidence: {
          reachable: mount.reachable,
          namespaces: [...new Set(mount.paths.map(({ namespace }) => namespace))],
        },
      };
    }
  },
};
