import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileC } from '../test/support/c-program.ts';
import { tempDir } from '../test/support/temp-dir.ts';
import { type BenchAgent, startAgent } from './support/agent.ts';
import { below, type Figure, median, type Scenario } from './support/scenario.ts';

const entries = 1_000_000;
const rounds = 7;

/** A million packed entries from a file into a new map, over HTTP, against a C loop that fills one. */
export const load: Scenario = {
  name: 'load',
  run: async () => {
    using agent = await startAgent();
    using dir = tempDir('load');
    const file = join(dir.path, 'entries');
    writeFileSync(file, packed());
    const floor = compileC('load-floor');
    const ours: number[] = [];
    const least: number[] = [];
    const idleKib = residentKib(agent);
    const others: number[] = [];
    let peakKib = 0;
    for (let round = -1; round < rounds; round++) {
      const loading = loadOnce(agent, file, round);
      const meanwhile = round === rounds - 1 ? latenciesUntil(agent, loading, others) : undefined;
      const took = await loading;
      await meanwhile;
      peakKib = Math.max(peakKib, residentKib(agent));
      const floorMs = Number(execFileSync(floor, [String(entries)], { encoding: 'utf8' }));
      if (round < 0) continue;
      ours.push(took);
      least.push(floorMs);
    }
    const ratio = median(ours) / median(least);
    console.error(`load ms ${ours.map(Math.round)}; floor ms ${least.map(Math.round)}`);
    return figures({ ratio, memoryMib: (peakKib - idleKib) / 1024, others });
  },
};

function figures(what: {
  readonly ratio: number;
  readonly memoryMib: number;
  readonly others: readonly number[];
}): readonly Figure[] {
  const name = `loading ${entries} entries u32 to u64`;
  const p99 = what.others.toSorted((a, b) => a - b)[Math.floor(what.others.length * 0.99)] ?? 0;
  return [
    below(`${name}, of the C floor's time`, what.ratio, 3, 'x'),
    below(`${name}: memory over idle`, what.memoryMib, 48, 'MiB'),
    below(`${name}: other GETs meanwhile, p99`, p99, 50, 'ms'),
  ];
}

/** Milliseconds from the start of curl to its end; the map is made before and let go after. */
async function loadOnce(agent: BenchAgent, file: string, round: number): Promise<number> {
  const made = await post(agent, '/v1/maps', [
    '-d',
    JSON.stringify({
      ...{ type: 'hash', key_size: 4, value_size: 8, max_entries: entries, name: 'pf_load' },
      pin: { path: `load${round}` },
    }),
    '-H',
    'Content-Type: application/json',
  ]);
  const id = Number(Object(JSON.parse(made)).id);
  const from = performance.now();
  const packedType = 'Content-Type: application/vnd.pinfold.entries';
  const answer = await post(agent, `/v1/maps/${id}/entries/batch`, ['-T', file, '-H', packedType]);
  const took = performance.now() - from;
  if (!answer.includes(`"done":${entries},"failed":0`)) throw new Error(`the load ended with ${answer}`);
  await agent.request('DELETE', `/v1/pins/load${round}?accept=last_reference`);
  return took;
}

/** A POST by curl: a client of its own, as the floor is a process of its own. */
async function post(agent: BenchAgent, path: string, args: readonly string[]): Promise<string> {
  const auth = `Authorization: Bearer ${agent.token}`;
  const all = ['-sf', '-X', 'POST', '-H', auth, '-H', 'Expect:', ...args, `${agent.url}${path}`];
  const child = spawn('curl', all, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`curl of ${path} ended with ${code}`);
  return text;
}

async function latenciesUntil(agent: BenchAgent, running: Promise<number>, times: number[]): Promise<void> {
  let isOver = false;
  void running.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    const from = performance.now();
    await agent.request('GET', '/v1/mounts');
    times.push(performance.now() - from);
  }
}

function packed(): Buffer {
  const bytes = Buffer.alloc(12 * entries);
  for (let index = 0; index < entries; index++) {
    bytes.writeUInt32LE(index, 12 * index);
    bytes.writeBigUInt64LE(3n * BigInt(index), 12 * index + 4);
  }
  return bytes;
}

function residentKib(agent: BenchAgent): number {
  const status = readFileSync(`/proc/${agent.pid}/status`, 'latin1');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
}
