import { join } from 'node:path';
import { openKernel } from '../src/kernel/open-kernel.ts';
import { mountBpffs } from '../test/support/bpffs.ts';
import { hold } from '../test/support/hold.ts';
import { startAgent } from './support/agent.ts';
import { cpuSeconds } from './support/cpu.ts';
import { makePinnedMaps } from './support/maps.ts';
import { below, median, type Scenario } from './support/scenario.ts';

const mapsMany = 5000;
const processesMany = 500;
const filesEach = 10;
const asked = 500;

/** Why an object is alive, on a machine where much holds much; and what the counters alone take. */
export const why: Scenario = {
  name: 'why',
  run: async () => {
    const bpffs = mountBpffs();
    using holder = await makePinnedMaps(bpffs.path, mapsMany);
    holder.end();
    using _ = await holdAll(bpffs.path);
    const pass = measurePass();
    using agent = await startAgent(bpffs, 1, false);
    const page = JSON.parse(await agent.request('GET', '/v1/pins?limit=5000'));
    const ids: number[] = page.items.map(({ id }: { readonly id: number }) => id);
    const times: number[] = [];
    let cpuFrom = 0;
    for (let round = -10; round < asked; round++) {
      if (round === 0) cpuFrom = cpuSeconds(agent.pid);
      const id = ids[((round + 10) * 7919) % ids.length];
      const from = performance.now();
      const answer = JSON.parse(await agent.request('GET', `/v1/maps/${id}/why`));
      if (round >= 0) times.push(performance.now() - from);
      const { pins, fds, unexplained } = answer.references;
      if (pins !== 1 || fds !== 1 || unexplained !== 0) throw new Error(answer.sentences.join(' '));
    }
    const cpuMs = ((cpuSeconds(agent.pid) - cpuFrom) * 1000) / asked;
    const world = `${mapsMany} maps, ${processesMany} processes, ${processesMany * filesEach} files`;
    return [
      below(`why over HTTP, p99: ${world}`, percentile(times, 0.99), 50, 'ms'),
      below('why over HTTP, median', median(times), 50, 'ms'),
      below('why, processor time of the agent for each', cpuMs, 50, 'ms'),
      below(`reference counts of ${mapsMany} maps, one pass`, median(pass), 10, 'ms'),
    ];
  },
};

/** Each process has some of the maps open, through their pins; every map is open once. */
async function holdAll(directory: string): Promise<Disposable> {
  const holders: Disposable[] = [];
  for (let process = 0; process < processesMany; process++) {
    const files = Array.from({ length: filesEach }, (_, index) => {
      const map = process * filesEach + index;
      return `get:${join(directory, `d${map % 50}`, `m${map}`)}`;
    });
    holders.push(await hold(...files));
  }
  return {
    [Symbol.dispose]: () => {
      for (const holder of holders) holder[Symbol.dispose]();
    },
  };
}

function measurePass(): readonly number[] {
  using kernel = openKernel();
  const times: number[] = [];
  for (let round = -5; round < 50; round++) {
    const from = performance.now();
    const { size } = kernel.counters.readAll('map');
    if (round >= 0) times.push(performance.now() - from);
    if (size < mapsMany) throw new Error(`only ${size} maps were counted`);
  }
  return times;
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
