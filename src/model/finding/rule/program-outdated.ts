import type { ProgramInfo } from '../../schema/program-info.ts';
import type { Judgement, Rule } from '../rule.ts';
import { objectSubject, objectWords, pathsOf } from '../words.ts';
import type { World, WorldObject } from '../world.ts';

/** Pins that show another program than the one that runs. */
export const programOutdated: Rule = {
  id: 'program_outdated',
  title: 'Pinned program is not the one attached',
  severities: ['warning'],
  needs: ['objects', 'counters'],
  meaning:
    'A program of this name and type is attached, but the pinned one is another: it has other instructions ' +
    'and runs nowhere. Whoever reads the pin sees old code; whoever attaches from it brings that back.',
  advice: 'Pin the program that runs in its place (`pinfold pin --replace`), or remove the old pin.',
  *judge(world: World): Iterable<Judgement> {
    const running = runningByName(world);
    for (const program of world.programs.values()) {
      const { info, pins, pinnedInodes, counters } = program;
      if (pinnedInodes === 0 || info.name === '') continue;
      // Nothing but pins: it is attached nowhere, by whatever means.
      if (counters?.refcnt !== BigInt(pinnedInodes)) continue;
      const same = running.get(keyOf(info)) ?? [];
      const other = same.find(({ info: { tag } }) => tag !== info.tag);
      if (other === undefined || same.some(({ info: { tag } }) => tag === info.tag)) continue;
      yield {
        severity: 'warning',
        subject: objectSubject(program),
        summary: `${objectWords(info)} is pinned, but attached is ${objectWords(other.info)}.`,
        evidence: {
          tag: info.tag,
          attached: { id: other.info.id, tag: other.info.tag },
          pins: pathsOf(pins),
        },
      };
    }
  },
};

function runningByName(world: World): ReadonlyMap<string, readonly WorldObject<ProgramInfo>[]> {
  const linked = [...world.links.values()].flatMap(({ info }) =>
    info.prog_id === undefined || info.is_attached === false ? [] : [info.prog_id],
  );
  const running = new Map<string, WorldObject<ProgramInfo>[]>();
  for (const id of new Set([...linked, ...world.holders.attached])) {
    const program = world.programs.get(id);
    if (program === undefined) continue;
    const key = keyOf(program.info);
    running.set(key, [...(running.get(key) ?? []), program]);
  }
  return running;
}

function keyOf({ type, name }: ProgramInfo): string {
  return `${type}/${name}`;
}
