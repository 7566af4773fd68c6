import { readFileSync } from 'node:fs';
import { mountBpffs } from '../test/support/bpffs.ts';
import { type BenchAgent, startAgent } from './support/agent.ts';
import { cpuSeconds } from './support/cpu.ts';
import { makePinnedMaps } from './support/maps.ts';
import { below, type Scenario } from './support/scenario.ts';

const pinsMany = 10_000;
const restSeconds = 60;

/** Specifications of all objects are stored behind the first observation, and its garbage is collected. */
const startSeconds = 45;

/** What watching 10,000 pins costs while nothing happens, once what the start has left behind is done. */
export const idle: Scenario = {
  name: 'idle',
  run: async () => {
    const bpffs = mountBpffs();
    using holder = await makePinnedMaps(bpffs.path, pinsMany);
    holder.end();
    using agent = await startAgent(bpffs);
    const first = await firstObservationSeconds(agent);
    const afterStart = await shareOver(agent, startSeconds);
    const atRest = await shareOver(agent, restSeconds);
    const share = (when: string): string => `processor ${when}, ${pinsMany} pins`;
    return [
      below(`first observation of ${pinsMany} pins`, first, 2, 's'),
      {
        ...below(share(`in the ${startSeconds} s after it`), afterStart, 100, '% of a core'),
        target: 'none',
      },
      below(`${share('at rest')}, over ${restSeconds} s`, atRest, 1, '% of a core'),
      below(`resident memory, ${pinsMany} pins`, residentMegabytes(agent.pid), 200, 'MB'),
    ];
  },
};

/** Processor time of the agent in the next seconds, in percent of a core. */
async function shareOver(agent: BenchAgent, seconds: number): Promise<number> {
  const before = cpuSeconds(agent.pid);
  await rest(seconds);
  return (100 * (cpuSeconds(agent.pid) - before)) / seconds;
}

/** The agent's own measure, which leaves out the start of Node; asked for as soon as it is ready. */
async function firstObservationSeconds(agent: BenchAgent): Promise<number> {
  const text = await agent.request('GET', '/metrics');
  const full = (member: string): number => {
    const line = new RegExp(`^pinfold_observation_duration_seconds_${member}\\{pass="full"\\} (\\S+)$`, 'm');
    return Number(line.exec(text)?.[1]);
  };
  if (full('count') !== 1)
    throw new Error(`${full('count')} full passes were over when the first was asked for`);
  return full('sum');
}

function residentMegabytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

function rest(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
