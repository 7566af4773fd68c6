import { execFileSync } from 'node:child_process';
import { type Child, start } from '../test/support/process.ts';
import { repoPath } from '../test/support/repo-root.ts';
import { startAgent } from './support/agent.ts';
import { cpuSeconds } from './support/cpu.ts';
import { type Figure, median, type Scenario } from './support/scenario.ts';

const rounds = 5;
const small = '/v1/mounts';

/**
 * A small authenticated GET of the agent against an empty route of bare Fastify: by rate, and by processor
 * time, which others at work on the machine disturb less.
 */
export const http: Scenario = {
  name: 'http',
  run: async () => {
    using agent = await startAgent();
    using bare = await startBare();
    const ours: Load[] = [];
    const theirs: Load[] = [];
    for (let round = -1; round < rounds; round++) {
      const ourLoad = load({ url: `${agent.url}${small}`, pid: agent.pid, token: agent.token });
      const theirLoad = load({ url: bare.url, pid: bare.pid, token: agent.token });
      if (round < 0) continue;
      ours.push(ourLoad);
      theirs.push(theirLoad);
    }
    return [
      share(`GET ${small} against an empty route`, ours, theirs, 'perSecond'),
      share(`GET ${small}, by processor time`, ours, theirs, 'perCpuSecond'),
    ];
  },
};

/** Requests that were answered in a second, and in a second of the server's processor time. */
interface Load {
  readonly perSecond: number;
  readonly perCpuSecond: number;
}

function share(name: string, ours: readonly Load[], theirs: readonly Load[], what: keyof Load): Figure {
  const [our, their] = [ours, theirs].map((loads) => median(loads.map((load) => load[what])));
  if (our === undefined || their === undefined) throw new RangeError('nothing was measured');
  return {
    name,
    ours: our,
    theirs: their,
    unit: 'requests/s',
    result: our / their,
    target: '>= 0.6 of the rate',
    isMet: our / their >= 0.6,
  };
}

async function startBare(): Promise<Disposable & { readonly url: string; readonly pid: number }> {
  const program = `
    import fastify from 'fastify';
    const server = fastify();
    server.get('/', () => ({}));
    console.log(await server.listen({ host: '127.0.0.1', port: 0 }));`;
  const child: Child = start('node', ['--input-type=module', '-e', program], { cwd: repoPath('.') });
  const url = await child.line(/^http/);
  return { url: `${url}/`, pid: child.pid, [Symbol.dispose]: () => child[Symbol.dispose]() };
}

/** What wrk gets with 16 connections in 3 seconds. */
function load(of: { readonly url: string; readonly pid: number; readonly token: string }): Load {
  const before = cpuSeconds(of.pid);
  const text = execFileSync(
    'wrk',
    ['-t1', '-c16', '-d3s', '-H', `Authorization: Bearer ${of.token}`, of.url],
    {
      encoding: 'utf8',
    },
  );
  const used = cpuSeconds(of.pid) - before;
  if (/Non-2xx/.test(text)) throw new Error(`wrk got errors:\n${text}`);
  return {
    perSecond: Number(/Requests\/sec:\s+(\S+)/.exec(text)?.[1]),
    perCpuSecond: Number(/(\d+) requests in /.exec(text)?.[1]) / used,
  };
}
