import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { limits } from '../src/model/limits.ts';
import { mountBpffs } from '../test/support/bpffs.ts';
import { createMap } from '../test/support/bpftool.ts';
import { until } from '../test/support/until.ts';
import { type BenchAgent, startAgent } from './support/agent.ts';
import { cpuSeconds } from './support/cpu.ts';
import { below, type Figure, median, type Scenario, told } from './support/scenario.ts';

/** The heap grows until it has collected a few times; what it takes then must stay. */
const bursts = { warming: 30, measured: 30 };
const question = 'GET /v1/pins/wanted?for=exists&wait=5m HTTP/1.1\r\nhost: a\r\n\r\n';

/** One client on a connection of its own, and when it was answered last. */
interface Client {
  readonly socket: Socket;
  answer: string;
  answeredAtMs: number | undefined;
}

/** What one change came to, in milliseconds from the answer to whoever made it. */
interface Burst {
  readonly lastMs: number;
  readonly agentCpuMs: number;
  /** VmRSS of the agent afterwards. */
  readonly residentKiB: number;
}

/** As many as may wait, all for one path, and one change of it, again and again. */
export const waits: Scenario = {
  name: 'waits',
  run: async () => {
    const bpffs = mountBpffs();
    const { id } = createMap(`${bpffs.path}/source`, { name: 'pf_bench' });
    using agent = await startAgent(bpffs);
    const before = await residentAtRest(agent);
    const clients: Client[] = [];
    for (let count = 0; count < limits.waitersMax; count++) clients.push(await openClient(agent));
    const all: Burst[] = [];
    for (let burst = 0; burst < bursts.warming + bursts.measured; burst++)
      all.push(await answerAll(agent, clients, id));
    for (const { socket } of clients) socket.destroy();
    const after = await residentAtRest(agent);
    const [first, ...later] = all;
    const lasts = later.map(({ lastMs }) => lastMs);
    const cpus = later.map(({ agentCpuMs }) => agentCpuMs);
    const waiting = `${limits.waitersMax} who wait for one path`;
    return [
      below(`${waiting}: the last answer`, median(lasts), 200, 'ms'),
      below('the same, for the first time', first?.lastMs ?? Number.NaN, 200, 'ms'),
      below('the same, the slowest of the others', Math.max(...lasts), 200, 'ms'),
      below(`processor time of the agent for ${limits.waitersMax} answers`, median(cpus), 200, 'ms'),
      told('resident memory of the agent before anybody waits', before / 1024, 'MiB'),
      ...memoryOf(all),
      told('resident memory when all of them have gone', after / 1024, 'MiB'),
      below('memory it takes more when all of them have gone', (after - before) / 1024, 32, 'MiB'),
    ];
  },
};

/** Connects as often as the listener's queue makes necessary. */
async function openClient({ socketPath }: BenchAgent): Promise<Client> {
  const opened = await until('a connection', async () => {
    const socket = connect(socketPath).setEncoding('utf8');
    return await once(socket, 'connect').then(
      () => socket,
      () => undefined,
    );
  });
  if (opened === undefined) throw new Error('the agent takes no connection');
  const client: Client = { socket: opened, answer: '', answeredAtMs: undefined };
  opened.on('data', (chunk: string) => {
    client.answer += chunk;
    if (client.answer.endsWith('}')) client.answeredAtMs = performance.now();
  });
  return client;
}

/** All ask, one makes the pin, and all must be told of it. */
async function answerAll(agent: BenchAgent, clients: readonly Client[], id: number): Promise<Burst> {
  for (const client of clients) {
    Object.assign(client, { answer: '', answeredAtMs: undefined });
    client.socket.write(question);
  }
  const oneMore = async (): Promise<boolean> =>
    await agent.localRequest('GET', '/v1/pins/other?for=exists&wait=1ms').then(
      () => false,
      (error: Error) => error.message.includes(' 429 '),
    );
  await until('all of them wait', oneMore, Boolean, { timeoutMs: 60_000 });
  const cpuBefore = cpuSeconds(agent.pid);
  await agent.localRequest('PUT', '/v1/pins/wanted', { body: { source: { kind: 'map', id } } });
  const from = performance.now();
  const isOver = () => clients.every(({ answeredAtMs }) => answeredAtMs !== undefined);
  await until('all answers', isOver, Boolean, { everyMs: 5, timeoutMs: 60_000 });
  const agentCpuMs = (cpuSeconds(agent.pid) - cpuBefore) * 1000;
  const wrong = clients.find(({ answer }) => !answer.includes(`"met":true,"pin":{"`));
  if (wrong !== undefined) throw new Error(`not what was waited for: ${wrong.answer}`);
  await agent.localRequest('DELETE', '/v1/pins/wanted');
  const lastMs = Math.max(...clients.map(({ answeredAtMs = 0 }) => answeredAtMs - from));
  return { lastMs, agentCpuMs, residentKiB: readResidentKiB(agent.pid) };
}

/** Garbage is collected now and then: what is left after it is the least of several times. */
function memoryOf(all: readonly Burst[]): readonly Figure[] {
  const leastOf = (some: readonly Burst[]) => Math.min(...some.map(({ residentKiB }) => residentKiB)) / 1024;
  const measured = all.slice(bursts.warming);
  const half = bursts.measured / 2;
  const [early, late] = [leastOf(measured.slice(0, half)), leastOf(measured.slice(half))];
  return [
    told(`resident memory after ${bursts.warming} to ${bursts.warming + half} times, least`, early, 'MiB'),
    told(`the same after ${half} times more`, late, 'MiB'),
    below(`memory the agent takes more for ${half} times more`, late - early, 16, 'MiB'),
  ];
}

/** The least within half a minute: an agent at rest gives back what it does not need any more. */
async function residentAtRest({ pid }: BenchAgent): Promise<number> {
  const overMs = performance.now() + 30_000;
  let least = readResidentKiB(pid);
  const look = (): boolean => {
    least = Math.min(least, readResidentKiB(pid));
    return performance.now() > overMs;
  };
  await until('half a minute is over', look, Boolean, { timeoutMs: 60_000, everyMs: 500 });
  return least;
}

/** VmRSS of proc_pid_status(5). */
function readResidentKiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
}
