import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mountBpffs } from '../test/support/bpffs.ts';
import { leak, startTraffic } from '../test/support/leak.ts';
import { tempDir } from '../test/support/temp-dir.ts';
import { until } from '../test/support/until.ts';
import { type BenchAgent, startAgent } from './support/agent.ts';
import { cpuSeconds } from './support/cpu.ts';
import { below, type Figure, type Scenario } from './support/scenario.ts';

/** As in a public case: so much was leaked for so few users. */
const leaked = { maps: 8000, programs: 3000 };
const users = 20;
const all = leaked.maps + leaked.programs;

/** Restores that are under way at a time. */
const restoresAtATime = 8;

/** A leak is found, explained, cleaned up, undone and cleaned up again, while its users go on. */
export const gc: Scenario = {
  name: 'gc',
  run: async () => {
    const bpffs = mountBpffs();
    using dir = tempDir('gc');
    const config = join(dir.path, 'config.yaml');
    writeFileSync(config, 'gc: { min_age: 0s, grace: 1h, pins_a_second: 10000 }\n', { mode: 0o600 });
    mkdirSync(join(bpffs.path, 'leak'));
    using traffic = await startTraffic(join(bpffs.path, 'leak/live'), users);
    const { countAlive } = await leak(join(bpffs.path, 'leak/dead'), leaked);
    // Not alone: who uses the live ones must be seen.
    using agent = await startAgent(bpffs, restoresAtATime, false, ['--config', config]);
    await untilAtRest(agent);
    const memoryBefore = residentMiB(agent.pid);
    forgetPeak(agent.pid);
    const before = await traffic.soFar();
    const figures = await measure(agent, join(bpffs.path, 'leak/dead'), countAlive);
    const { rounds, failures, gapUs } = await traffic.soFar();
    if (failures > 0) throw new Error(`traffic failed ${failures} times: ${traffic.complaints()}`);
    const grown = peakMiB(agent.pid) - memoryBefore;
    return [
      ...figures,
      below(`gc: memory of the agent at its peak, over what ${all} pins take anyway`, grown, 160, 'MiB'),
      below(`gc: failures in ${(rounds - before.rounds) * users} rounds of live traffic`, failures, 0, ''),
      below('gc: longest pause of live traffic', gapUs / 1000, 1000, 'ms'),
    ];
  },
};

/** Finding 11,000 objects for the first time is not what is measured here. */
async function untilAtRest({ pid }: BenchAgent): Promise<void> {
  let before = cpuSeconds(pid);
  const tookLittle = (): boolean => {
    const took = cpuSeconds(pid) - before;
    before += took;
    return took < 0.1;
  };
  await until('the agent is at rest', tookLittle, Boolean, { timeoutMs: 120_000, everyMs: 2000 });
}

async function measure(agent: BenchAgent, dead: string, aliveOf: () => number): Promise<readonly Figure[]> {
  const count = (): number => readdirSync(dead).length;
  const found = await timed(agent, async () => {
    const plan = JSON.parse(await agent.request('GET', '/v1/gc?prefix=leak'));
    assertMost('found', plan.plan.filter(({ why }: { readonly why: string }) => why !== '').length);
  });
  const quarantined = async (): Promise<number> =>
    JSON.parse(await agent.request('GET', '/v1/quarantine?limit=1')).total;
  const cleaned = await timed(agent, async () => {
    // What others on this machine look at in passing is held, and goes the next time.
    while (count() > 0) await collect(agent, {});
  });
  assertMost('in quarantine', await quarantined());
  assertMost('alive', aliveOf());
  const undone = await timed(agent, async () => await restoreAll(agent));
  assertMost('restored', count());
  const again = await timed(agent, async () => {
    while (count() > 0) {
      await collect(agent, { grace: '0s' });
      await until('the quarantine is empty', quarantined, (total) => total === 0, { timeoutMs: 120_000 });
    }
  });
  await until('all of it is freed', aliveOf, (alive) => alive === 0, { timeoutMs: 60_000, everyMs: 500 });
  return [
    ...both('find and explain', found, 5),
    ...both('move into quarantine', cleaned, 30),
    ...both('undo', undone, 60),
    ...both('clean up again, for good', again, 60),
  ];
}

interface Took {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

async function timed(agent: BenchAgent, act: () => Promise<void>): Promise<Took> {
  const [from, cpuFrom] = [performance.now(), cpuSeconds(agent.pid)];
  await act();
  return { seconds: (performance.now() - from) / 1000, cpuSeconds: cpuSeconds(agent.pid) - cpuFrom };
}

function both(what: string, took: Took, bound: number): readonly Figure[] {
  const of = `gc of ${all} pins: ${what}`;
  return [
    below(of, took.seconds, bound, 's'),
    below(`${of}, processor time of the agent`, took.cpuSeconds, bound, 's'),
  ];
}

/** Has everything below `leak` collected and waits until that is over. */
async function collect(agent: BenchAgent, body: object): Promise<void> {
  const answer = JSON.parse(await agent.request('POST', '/v1/gc', { body: { prefix: 'leak', ...body } }));
  if (answer.operation_id === null) return;
  const ended = await until(
    'the clean-up is over',
    async () => JSON.parse(await agent.request('GET', `/v1/operations/${answer.operation_id}`)),
    ({ outcome }) => outcome !== 'running',
    { timeoutMs: 120_000, everyMs: 50 },
  );
  if (ended.outcome === 'unknown') throw new Error(ended.detail);
}

async function restoreAll(agent: BenchAgent): Promise<void> {
  for (;;) {
    const page = JSON.parse(await agent.request('GET', '/v1/quarantine?limit=5000'));
    const ids: string[] = page.items.map(({ id }: { readonly id: string }) => id);
    if (ids.length === 0) return;
    const workers = Array.from({ length: restoresAtATime }, async () => {
      for (let id = ids.pop(); id !== undefined; id = ids.pop())
        await agent.request('POST', `/v1/quarantine/${id}/restore`);
    });
    await Promise.all(workers);
  }
}

/** Others on this machine may be looking at one or the other. */
function assertMost(what: string, count: number): void {
  if (count < all * 0.99 || count > all) throw new Error(`${count} of ${all} are ${what}`);
}

/** From here on the peak is not that of the first observation: proc_pid_clear_refs(5). */
function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

function residentMiB(pid: number): number {
  return statusKiB(pid, 'VmRSS') / 1024;
}

function peakMiB(pid: number): number {
  return statusKiB(pid, 'VmHWM') / 1024;
}

/** proc_pid_status(5) counts in KiB. */
function statusKiB(pid: number, field: string): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]);
}
