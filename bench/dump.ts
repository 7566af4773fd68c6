import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { compileBpf, compileC } from '../test/support/c-program.ts';
import { filledMaps } from '../test/support/entries.ts';
import { tempDir } from '../test/support/temp-dir.ts';
import { type BenchAgent, startAgent } from './support/agent.ts';
import { below, type Figure, faster, inTurn, median, type Scenario } from './support/scenario.ts';

const entries = 1_000_000;
const rounds = 7;
const slowSeconds = 120;
/** What is written goes to memory on both sides: a disk would be what is measured. */
const memory = '/dev/shm';

/** Whole maps over HTTP to a file, against bpftool and against a C loop that only reads. */
export const dump: Scenario = {
  name: 'dump',
  run: async () => {
    using agent = await startAgent();
    using dir = tempDir('dump', memory);
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
    return [...plain, ...typed, await slowReader(agent)];
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
  const file = join(dir, 'ours');
  const dumpOurs = async (): Promise<void> => {
    await fetchTo(agent, `/v1/maps/${id}/entries`, file);
    const last = execFileSync('tail', ['-n1', file], { encoding: 'utf8' });
    if (!last.includes(`"count":${entries},"complete":true`)) throw new Error(`the dump ended with ${last}`);
  };
  const bpftool = async (): Promise<void> => {
    await runTo(join(dir, 'bpftool'), 'bpftool', ['-j', 'map', 'dump', 'id', String(id)]);
  };
  const floor = (): void => {
    execFileSync(compileC('batch-floor'), [String(id), '4', String(what.valueSize)]);
  };
  const idleKib = await warmKib(agent);
  const clocks = [dumpOurs, bpftool, floor].map((side) => new CpuClock(agent, side));
  const sides = clocks.map((clock) => async () => await clock.run());
  const [mine = [], tool = [], least = []] = await inTurn(sides, rounds);
  const [mineCpu = [], toolCpu = [], leastCpu = []] = clocks.map(({ times }) => times.slice(1));
  console.error(`${what.name}: ${statSync(file).size} bytes
  ms of ours ${mine.map(Math.round)}, bpftool ${tool.map(Math.round)}, the floor ${least.map(Math.round)}
  processor ms of ours ${mineCpu}, bpftool ${toolCpu}, the floor ${leastCpu}`);
  const best = (times: readonly number[]): number => Math.min(...times);
  const { bpftoolTarget, floorTarget } = what;
  return [
    faster(`${what.name}, against bpftool`, mine, tool, bpftoolTarget),
    faster(`${what.name}, against bpftool, best rounds`, [best(mine)], [best(tool)], bpftoolTarget),
    faster(`${what.name}, against bpftool, processor time`, mineCpu, toolCpu, bpftoolTarget),
    ...(floorTarget === undefined
      ? []
      : [
          below(`${what.name}, of the C floor's time`, median(mine) / median(least), floorTarget, 'x'),
          below(
            `${what.name}, of the C floor's time, best rounds`,
            best(mine) / best(least),
            floorTarget,
            'x',
          ),
        ]),
    ...(await sideEffects(agent, what.name, { run: dumpOurs, idleKib })),
  ];
}

/** What dumps do to everybody else meanwhile. */
async function sideEffects(
  agent: BenchAgent,
  name: string,
  { run, idleKib }: { readonly run: () => Promise<void>; readonly idleKib: number },
): Promise<Figure[]> {
  let peakKib = 0;
  const watch = setInterval(() => {
    peakKib = Math.max(peakKib, residentKib(agent));
  }, 20);
  const others: number[] = [];
  await loopDelayMs(agent);
  await pause(1000);
  const atRestMs = await loopDelayMs(agent);
  for (let round = 0; round < rounds; round++) others.push(...(await latenciesDuring(agent, run)));
  const delayMs = await loopDelayMs(agent);
  clearInterval(watch);
  console.error(`${name}: the event loop is late by ${atRestMs} ms (p99) with nothing to do`);
  return [
    below(`${name}: memory over idle`, (peakKib - idleKib) / 1024, 48, 'MiB'),
    below(`${name}: delay of the event loop, p99`, delayMs, 20, 'ms'),
    below(`${name}: other GETs meanwhile, p99`, percentile(others, 0.99), 50, 'ms'),
  ];
}

/** Memory of an agent that has answered requests before, none of them a dump: a heap takes its share once. */
async function warmKib(agent: BenchAgent): Promise<number> {
  for (let nth = 0; nth < 500; nth++) await agent.request('GET', '/v1/mounts');
  return residentKib(agent);
}

/** What the agent's memory grows by while somebody reads a kilobyte of a large dump each second. */
async function slowReader(agent: BenchAgent): Promise<Figure> {
  using maps = await filledMaps('big', String(entries));
  const headers = { authorization: `Bearer ${agent.token}`, accept: 'application/x-ndjson' };
  const request = get(`${agent.url}/v1/maps/${maps.id('big')}/entries`, { headers });
  const [response]: IncomingMessage[] = await once(request, 'response');
  if (response?.statusCode !== 200) throw new Error(`the slow reader got ${response?.statusCode}`);
  const readings: number[] = [];
  for (let second = 0; second < slowSeconds; second++) {
    await pause(1000);
    response.read(1024);
    readings.push(residentKib(agent));
  }
  response.destroy();
  const [first = 0] = readings;
  const name = `memory that grows while a dump is read at 1 KiB/s for ${slowSeconds} s`;
  return below(name, (Math.max(...readings) - first) / 1024, 16, 'MiB');
}

/** The processor time a side takes: of the programs it runs, and of the agent meanwhile. */
class CpuClock {
  /** Milliseconds of each run, in steps of ten. */
  readonly times: number[] = [];
  readonly #agent: BenchAgent;
  readonly #side: () => Promise<void> | void;

  constructor(agent: BenchAgent, side: () => Promise<void> | void) {
    this.#agent = agent;
    this.#side = side;
  }

  async run(): Promise<void> {
    const before = this.#now();
    await this.#side();
    this.times.push(this.#now() - before);
  }

  /** Children count once they are waited for (proc_pid_stat(5), cutime and cstime). */
  #now(): number {
    const children = statTicks(process.pid, 13, 14);
    return 10 * (children + statTicks(this.#agent.pid, 11, 12));
  }
}

/** Two fields of /proc/PID/stat together, counted from 0 behind the name; in hundredths of a second. */
function statTicks(pid: number, first: number, second: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /s, '')
    .split(' ');
  return Number(fields[first]) + Number(fields[second]);
}

/** The agent's own measure of it since it was last asked. */
async function loopDelayMs(agent: BenchAgent): Promise<number> {
  const metrics = await agent.request('GET', '/metrics');
  return 1000 * Number(/^pinfold_event_loop_delay_p99_seconds\S* (\S+)$/m.exec(metrics)?.[1]);
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
  const status = readFileSync(`/proc/${agent.pid}/status`, 'latin1');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
}
