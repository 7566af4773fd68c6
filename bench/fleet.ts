import { readFileSync, writeFileSync } from 'node:fs';
import { limits } from '../src/model/limits.ts';
import { cpuSeconds } from './support/cpu.ts';
import { FleetWorld } from './support/fleet-world.ts';
import { below, type Figure, median, type Scenario } from './support/scenario.ts';

/** Simulated nodes, beside a real one. */
const sizes = [10, 100, 1000] as const;
const pinsEach = 100;
const rounds = 7;

/** One manager and one etcd with ten, a hundred and a thousand nodes. */
export const fleet: Scenario = {
  name: 'fleet',
  run: async () => {
    using world = await FleetWorld.open(pinsEach);
    const figures: Figure[] = [];
    for (const size of sizes) {
      const from = performance.now();
      await world.grow(size);
      const joined = below(`${size} nodes: all ready`, (performance.now() - from) / 1000, 300, 's');
      figures.push(joined, ...(await lists(world, size)), await change(world, size), stored(world, size));
    }
    return figures;
  },
};

/** All pins of all nodes, read to the end; and the first page of them. */
async function lists(world: FleetWorld, size: number): Promise<readonly Figure[]> {
  const streams: number[] = [];
  const pages: number[] = [];
  const expected = world.nodes * pinsEach;
  await streamAll(world, expected);
  forgetPeak(world.manager);
  const before = cpuSeconds(world.manager);
  for (let round = 0; round < rounds; round += 1) streams.push(await streamAll(world, expected));
  const cpuMs = (1000 * (cpuSeconds(world.manager) - before)) / rounds;
  for (let round = 0; round < rounds; round += 1) {
    const from = performance.now();
    await world.get('/v1/cluster/pins?deadline=30s');
    pages.push(performance.now() - from);
  }
  return [
    below(`${size} nodes: a list of ${pinsEach} pins each`, median(streams), 3000, 'ms'),
    below(`${size} nodes: the slowest of ${rounds}`, Math.max(...streams), 3000, 'ms'),
    below(`${size} nodes: the manager's processor for one`, cpuMs, 3000, 'ms'),
    below(`${size} nodes: the manager's memory at most`, peakMegabytes(world.manager), 300, 'MB'),
    below(`${size} nodes: a page of ${limits.pageItemsDefault} pins`, median(pages), 3000, 'ms'),
  ];
}

/** Milliseconds until the last byte. @throws Error where something is missing */
async function streamAll(world: FleetWorld, expected: number): Promise<number> {
  const from = performance.now();
  const { body, statusCode } = await world.pool.request({
    method: 'GET',
    path: '/v1/cluster/pins?deadline=30s',
    headers: { accept: 'application/x-ndjson' },
  });
  let tail = Buffer.alloc(0);
  for await (const piece of body) tail = Buffer.concat([tail, piece]).subarray(-4096);
  const ms = performance.now() - from;
  const line = tail.toString().trimEnd().split('\n').at(-1) ?? '';
  if (statusCode !== 200 || !line.includes(`"count":${expected},`) || !line.includes('"complete":true'))
    throw new Error(`the list came to ${statusCode} ${line}`);
  return ms;
}

/** A pin set is put and its rollout is done at once; the time until every node has heard of both. */
async function change(world: FleetWorld, size: number): Promise<Figure> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const generation = size + round;
    const time = new Date().toISOString();
    const spec = { name: 'bench', all: true, pins: [{ path: 'tc/globals/acl', protect: true }] };
    const desired = JSON.stringify({ generation, spec, time, actor: 'bench' });
    const rollout = JSON.stringify({ generation, state: 'done', open: [], started_at: time, time });
    const from = performance.now();
    world.ctl('put', '/pinfold/v1/desired/bench', desired);
    world.ctl('put', '/pinfold/v1/rollout/bench', rollout);
    await world.seen(generation);
    times.push(performance.now() - from);
  }
  return below(`${size} nodes: a change of a pin set is known to all`, median(times), 2000, 'ms');
}

/** What etcd holds of the nodes, by its own tool. */
function stored(world: FleetWorld, size: number): Figure {
  const answer: { readonly kvs: readonly { readonly key: string; readonly value: string }[] } = JSON.parse(
    world.ctl('get', '/pinfold/v1/nodes/', '--prefix', '-w', 'json'),
  );
  const bytes = answer.kvs.reduce((sum, { key, value }) => sum + sizeOf(key) + sizeOf(value), 0);
  return below(`${size} nodes: etcd holds of each`, bytes / world.nodes, 2048, 'bytes');
}

function sizeOf(base64: string): number {
  return Buffer.from(base64, 'base64').length;
}

/** The kernel's own peak of a process's memory begins anew (proc_pid_clear_refs(5)). */
function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

function peakMegabytes(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}
