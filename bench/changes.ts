import { execFileSync } from 'node:child_process';
import { startAgent } from './support/agent.ts';
import { makePinnedMaps } from './support/maps.ts';
import { type Figure, median, type Scenario } from './support/scenario.ts';

const connections = 32;
const pairsOurs = 4000;
const pairsTheirs = 200;
const rounds = 5;

/**
 * Pin and unpin with all checks on, against the two commands people type; the object is held by another
 * process.
 */
export const changes: Scenario = {
  name: 'changes',
  run: async () => {
    using agent = await startAgent(undefined, connections);
    using holder = await makePinnedMaps(agent.bpffs.path, 1, true);
    const id = JSON.parse(
      execFileSync('bpftool', ['-j', 'map', 'show', 'pinned', `${agent.bpffs.path}/d0/m0`], {
        encoding: 'utf8',
      }),
    ).id as number;
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = -1; round < rounds; round++) {
      const ourRate = pairsOurs / (await seconds(() => pinAndUnpin(agent.request, id)));
      const theirRate = pairsTheirs / (await seconds(() => pinAndRemove(agent.bpffs.path, id)));
      if (round < 0) continue;
      ours.push(ourRate);
      theirs.push(theirRate);
    }
    holder.end();
    const result = median(ours) / median(theirs);
    const figure: Figure = {
      name: `pin + unpin, ${connections} connections`,
      ours: median(ours),
      theirs: median(theirs),
      unit: 'pairs/s',
      result,
      target: '>= 5x the rate',
      isMet: result >= 5,
    };
    return [figure];
  },
};

type Request = Awaited<ReturnType<typeof startAgent>>['request'];

async function pinAndUnpin(request: Request, id: number): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let pair = next++; pair < pairsOurs; pair = next++) {
      await request('PUT', `/v1/pins/d0/b${pair}`, { body: { source: { kind: 'map', id } } });
      await request('DELETE', `/v1/pins/d0/b${pair}`);
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
}

function pinAndRemove(directory: string, id: number): void {
  const script =
    'i=0; while [ $i -lt "$1" ]; do bpftool map pin id "$2" "$3/d0/t$i"; rm "$3/d0/t$i"; i=$((i+1)); done';
  execFileSync('sh', ['-ec', script, 'sh', String(pairsTheirs), String(id), directory]);
}

async function seconds(work: () => Promise<void> | void): Promise<number> {
  const from = performance.now();
  await work();
  return (performance.now() - from) / 1000;
}
