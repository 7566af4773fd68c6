import { execFileSync } from 'node:child_process';
import { type BenchAgent, type Request, startAgent } from './support/agent.ts';
import { cpuSeconds, endedChildrenCpuSeconds } from './support/cpu.ts';
import { makePinnedMaps } from './support/maps.ts';
import { type Figure, median, type Scenario } from './support/scenario.ts';

const connections = 32;
const pairsOurs = 4000;
const pairsTheirs = 200;
const rounds = 5;

/** What one side did in one round. */
interface Round {
  readonly pairsPerSecond: number;
  readonly cpuMsPerPair: number;
}

/**
 * Pin and unpin with all checks on, against the two commands people type; the object is held by another
 * process. The processor time is the agent's, without the client's, and that of the commands and their shell.
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
    const local: Round[] = [];
    const remote: Round[] = [];
    const theirs: Round[] = [];
    for (let round = -1; round < rounds; round++) {
      const ours = [await ourRound(agent, agent.localRequest, id), await ourRound(agent, agent.request, id)];
      const other = theirRound(agent.bpffs.path, id);
      if (round < 0) continue;
      local.push(...ours.slice(0, 1));
      remote.push(...ours.slice(1));
      theirs.push(other);
    }
    holder.end();
    return [...figuresOf('unix socket', local, theirs), ...figuresOf('TCP', remote, theirs)];
  },
};

function figuresOf(by: string, ours: readonly Round[], theirs: readonly Round[]): readonly Figure[] {
  const name = `pin + unpin, ${connections} connections, ${by}`;
  const rate = compare(ours, theirs, ({ pairsPerSecond }) => pairsPerSecond);
  const cpu = compare(ours, theirs, ({ cpuMsPerPair }) => cpuMsPerPair);
  const result = rate.ours / rate.theirs;
  const isMet = result >= 5;
  return [
    { name, ...rate, unit: 'pairs/s', result, target: '>= 5x the rate', isMet },
    {
      name: `${name}: processor time of a pair`,
      ...cpu,
      unit: 'ms',
      result: cpu.theirs / cpu.ours,
      target: 'none',
      isMet: true,
    },
  ];
}

function compare(ours: readonly Round[], theirs: readonly Round[], read: (round: Round) => number) {
  return { ours: median(ours.map(read)), theirs: median(theirs.map(read)) };
}

async function ourRound(agent: BenchAgent, request: Request, id: number): Promise<Round> {
  const cpuFrom = cpuSeconds(agent.pid);
  const from = performance.now();
  await pinAndUnpin(request, id);
  const cpu = cpuSeconds(agent.pid) - cpuFrom;
  return roundOf(pairsOurs, { seconds: (performance.now() - from) / 1000, cpu });
}

function theirRound(directory: string, id: number): Round {
  const cpuFrom = endedChildrenCpuSeconds();
  const from = performance.now();
  pinAndRemove(directory, id);
  const cpu = endedChildrenCpuSeconds() - cpuFrom;
  return roundOf(pairsTheirs, { seconds: (performance.now() - from) / 1000, cpu });
}

function roundOf(pairs: number, took: { readonly seconds: number; readonly cpu: number }): Round {
  return { pairsPerSecond: pairs / took.seconds, cpuMsPerPair: (took.cpu * 1000) / pairs };
}

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
