import { join } from 'node:path';
import { openKernel } from '../src/kernel/open-kernel.ts';
import { mountBpffs } from '../test/support/bpffs.ts';
import { hold } from '../test/support/hold.ts';
import { holdInWay } from '../test/support/hold-ways.ts';
import { type BenchAgent, startAgent } from './support/agent.ts';
import { cpuSeconds } from './support/cpu.ts';
import { makePinnedMaps } from './support/maps.ts';
import { below, median, type Scenario } from './support/scenario.ts';

const mapsMany = 5000;
const processesMany = 500;
const filesEach = 10;
const asked = 500;
const askedOfHidden = 100;

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
    const hidden = await askOfHidden(agent, bpffs.path);
    const world = `${mapsMany} maps, ${processesMany} processes, ${processesMany * filesEach} files`;
    return [
      below(`why over HTTP, p99: ${world}`, percentile(times, 0.99), 50, 'ms'),
      below('why over HTTP, median', median(times), 50, 'ms'),
      below('why, processor time of the agent for each', cpuMs, 50, 'ms'),
      below(
        'why where a holder is hidden and all is walked twice, p99',
        percentile(hidden.times, 0.99),
        50,
        'ms',
      ),
      below('the same, median', median(hidden.times), 50, 'ms'),
      below('the same, processor time of the agent for each', hidden.cpuMs, 50, 'ms'),
      below(`reference counts of ${mapsMany} maps, one pass`, median(pass), 10, 'ms'),
    ];
  },
};

/** A map whose one holder nobody can show: the answer that takes longest. */
async function askOfHidden(agent: BenchAgent, directory: string) {
  const held = await holdInWay('in_flight', { bpffs: directory, directory });
  if (typeof held === 'string') throw new Error(`this kernel refuses it: ${held}`);
  using _ = held;
  const times: number[] = [];
  let cpuFrom = 0;
  for (let round = -10; round < askedOfHidden; round++) {
    if (round === 0) cpuFrom = cpuSeconds(agent.pid);
    const from = performance.now();
    const { unexplained } = JSON.parse(await agent.request('GET', `/v1/maps/${held.subject.id}/why`));
    if (round >= 0) times.push(performance.now() - from);
    if (unexplained.users !== 1) throw new Error(`${unexplained.users} references are unexplained`);
  }
  return { times, cpuMs: ((cpuSeconds(agent.pid) - cpuFrom) * 1000) / askedOfHidden };
}

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
