import type { ProgramInfo } from '../../schema/program-info.ts';
import type { Judgement, Rule } from '../rule.ts';
import { objectSubject, objectWords } from '../words.ts';
import type { World, WorldObject } from '../world.ts';

const idsShown = 20;

/** Programs that were loaded over and over. */
export const programDuplicated: Rule = {
  id: 'program_duplicated',
  title: 'The same program loaded many times',
  severities: ['warning'],
  needs: ['objects'],
  meaning:
    'Many programs have the same instructions, type and name. A loader that leaves its old programs behind ' +
    'at each start looks like this. Programs of control groups are loaded once a group as a rule, by ' +
    'systemd for one; of those, as many as there are groups are no finding.',
  advice: 'Find who holds the copies (`pinfold why`), and have its loader replace programs, not add to them.',
  *judge(world: World): Iterable<Judgement> {
    for (const copies of copiesIn(world).values()) {
      const [first] = copies;
      if (first === undefined) continue;
      const isOfCgroups = first.info.type.startsWith('cgroup_');
      const { programCopiesMax } = world.thresholds;
      const allowed = isOfCgroups ? Math.max(programCopiesMax, world.cgroups) : programCopiesMax;
      if (copies.length <= allowed) continue;
      const memory = copies.reduce((sum, { info }) => sum + (info.memlock ?? 0), 0);
      yield {
        severity: 'warning',
        subject: objectSubject(first),
        summary: `There are ${copies.length} programs like ${objectWords(first.info)}.`,
        evidence: {
          tag: first.info.tag,
          copies: copies.length,
          ids: copies.slice(0, idsShown).map(({ info }) => info.id),
          memory_bytes: memory,
        },
      };
    }
  },
};

function copiesIn({ programs }: World): ReadonlyMap<string, readonly WorldObject<ProgramInfo>[]> {
  const groups = new Map<string, WorldObject<ProgramInfo>[]>();
  for (const program of programs.values()) {
    const { tag, type, name } = program.info;
    const key = `${tag}/${type}/${name}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [program]);
    else group.push(program);
  }
  return groups;
}
