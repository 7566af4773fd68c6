import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { compileBpf, compileC } from '../test/support/c-program.ts';
import { filledMaps } from '../test/support/entries.ts';
import { tempDir } from '../test/support/temp-dir.ts';
import { type BenchAgent, startAgent } from './support/agent.ts';
import { below, type Figure, faster, inTurn, median, type Scenario } from './support/scenario.ts';

const entries = 1_000_000;
const rounds = 7;

/** Whole maps over HTTP to a file, against bpftool and against a C loop that only reads. */
export const dump: Scenario = {
  name: 'dump',
  run: async () => {
    using agent = await startAgent();
    using dir = tempDir('dump');
    const plain = await measure(agent, dir.path, {
      name: `${entries} entries u32 to u64, raw`,
      made: ['big', String(entries)],
      map: 'big',
      valueSize: 8,
      bpftoolTarget: 8,
      floorTarget: 1.6,
    });
    const typed = await measure(agent, dir.path, {
      name: `${entries} entries of a 64-byte structure, typed`,
      made: ['bigtyped', compileBpf('entries-big'), String(entries)],
      map: 'b_big',
      valueSize: 64,
      bpftoolTarget: 10,
    });
    return [...plain, ...typed];
  },
};

interface Case {
  readonly name: string;
  /** How test/support/c/entries.c makes the map, and what it calls it. */
  readonly made: readonly [string, ...string[]];
  readonly map: string;
  readonly valueSize: number;
  readonly bpftoolTarget: number;
  readonly floorTarget?: number;
}

async function measure(agent: BenchAgent, dir: string, what: Case): Promise<Figure[]> {
  const [mode, ...args] = what.made;
  using maps = await filledMaps(mode, ...args);
  const id = maps.id(what.map);
  const ours = join(dir, 'ours');
  const idleKib = residentKib(agent);
  let peakKib = 0;
  const watch = setInterval(() => {
    peakKib = Math.max(peakKib, residentKib(agent));
  }, 20);
  const dumpOurs = async (): Promise<void> => {
    await fetchTo(agent, `/v1/maps/${id}/entries`, ours);
    const last = execFileSync('tail', ['-n1', ours], { encoding: 'utf8' });
    if (!last.includes(`"count":${entries},"complete":true`)) throw new Error(`the dump ended with ${last}`);
  };
  const bpftool = async (): Promise<void> => {
    await runTo(join(dir, 'bpftool'), 'bpftool', ['-j', 'map', 'dump', 'id', String(id)]);
  };
  const floor = (): void => {
    execFileSync(compileC('batch-floor'), [String(id), '4', String(what.valueSize)]);
  };
  const [mine = [], tool = [], least = []] = await inTurn([dumpOurs, bpftool, floor], rounds);
  const others = await latenciesDuring(agent, dumpOurs);
  clearInterval(watch);
  const ratio = median(mine) / median(least);
  console.error(
    `${what.name}: ${statSync(ours).size} bytes; least ms ${mine.map(Math.round)} ${least.map(Math.round)}`,
  );
  return [
    faster(`${what.name}, against bpftool`, mine, tool, what.bpftoolTarget),
    ...(what.floorTarget === undefined
      ? []
      : [below(`${what.name}, of the C floor's time`, ratio, what.floorTarget, 'x')]),
    below(`${what.name}: memory over idle`, (peakKib - idleKib) / 1024, 48, 'MiB'),
    below(`${what.name}: other GETs meanwhile, p99`, percentile(others, 0.99), 50, 'ms'),
  ];
}

/** How long small requests take, one after the other, while something else is going on. */
async function latenciesDuring(agent: BenchAgent, run: () => Promise<void>): Promise<number[]> {
  const times: number[] = [];
  let isOver = false;
  const running = run().finally(() => {
    isOver = true;
  });
  while (!isOver) {
    const from = performance.now();
    await agent.request('GET', '/v1/mounts');
    times.push(performance.now() - from);
  }
  await running;
  return times;
}

function percentile(values: readonly number[], part: number): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length * part)] ?? 0;
}

/** Reads an answer into a file with curl: a client of its own, as bpftool is a process of its own. */
async function fetchTo(agent: BenchAgent, path: string, file: string): Promise<void> {
  const auth = `Authorization: Bearer ${agent.token}`;
  const args = ['-sf', '-H', auth, '-H', 'Accept: application/x-ndjson', '-o', file, `${agent.url}${path}`];
  const child = spawn('curl', args, { stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`curl ended with ${code}`);
}

async function runTo(file: string, command: string, args: readonly string[]): Promise<void> {
  const out = openSync(file, 'w');
  const child = spawn(command, args, { stdio: ['ignore', out, 'inherit'] });
  const [code] = await once(child, 'exit');
  closeSync(out);
  if (code !== 0) throw new Error(`${command} ended with ${code}`);
}

function residentKib(agent: BenchAgent): number {
  const status = readFileSync(`/proc/${agent.child.pid}/status`, 'latin1');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
}
