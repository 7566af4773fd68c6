import { escapeBytes } from '../../path.ts';
import type { Judgement, Rule } from '../rule.ts';
import { objectSubject, objectWords, type PinnableInfo, spanWords } from '../words.ts';
import type { World, WorldObject } from '../world.ts';

/** The first process never ends, so what it holds is safe. */
const initPid = 1;

/** Objects that end with one process. */
export const singleProcess: Rule = {
  id: 'single_process',
  title: 'Held by one process only',
  severities: ['info'],
  needs: ['objects', 'holders'],
  meaning:
    'The object has no pin, and one process alone holds it. It ends with that process: its contents are ' +
    'lost and its program is detached at a crash or a restart.',
  advice: 'Nothing for tools that come and go. Pin what must outlive its process (`pinfold pin`).',
  *judge(world: World): Iterable<Judgement> {
    for (const map of world.maps.values()) yield* judgeOne(map, world);
    for (const program of world.programs.values()) yield* judgeOne(program, world);
    for (const link of world.links.values()) yield* judgeOne(link, world);
  },
};

function* judgeOne(object: WorldObject<PinnableInfo>, world: World): Iterable<Judgement> {
  const { info, pinnedInodes, firstSeenMs } = object;
  const ageMs = world.nowMs - firstSeenMs;
  if (pinnedInodes > 0 || ageMs < world.thresholds.minAgeMs) return;
  const [holder, ...others] = world.holders.onlyProcesses(info.kind, info.id) ?? [];
  if (holder === undefined || others.length > 0 || holder.pid === initPid) return;
  const comm = escapeBytes(holder.comm);
  const age = spanWords(ageMs);
  yield {
    severity: 'info',
    subject: objectSubject(object),
    summary: `Only process ${holder.pid} (${comm}) holds ${objectWords(info)}, known for ${age}.`,
    evidence: { pid: holder.pid, comm, age_seconds: Math.floor(ageMs / 1000) },
  };
}
