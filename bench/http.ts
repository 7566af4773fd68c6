import { execFileSync } from 'node:child_process';
import { type Child, start } from '../test/support/process.ts';
import { repoPath } from '../test/support/repo-root.ts';
import { startAgent } from './support/agent.ts';
import { type Figure, median, type Scenario } from './support/scenario.ts';

const rounds = 5;
const small = '/v1/mounts';

/** A small authenticated GET of the agent against an empty route of bare Fastify. */
export const http: Scenario = {
  name: 'http',
  run: async () => {
    using agent = await startAgent();
    using bare = await startBare();
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = -1; round < rounds; round++) {
      const ourRate = rate(`${agent.url}${small}`, agent.token);
      const theirRate = rate(bare.url, agent.token);
      if (round < 0) continue;
      ours.push(ourRate);
      theirs.push(theirRate);
    }
    const result = median(ours) / median(theirs);
    const figure: Figure = {
      name: `GET ${small} against an empty route`,
      ours: median(ours),
      theirs: median(theirs),
      unit: 'requests/s',
      result,
      target: '>= 0.6 of the rate',
      isMet: result >= 0.6,
    };
    return [figure];
  },
};

async function startBare(): Promise<Disposable & { readonly url: string }> {
  const program = `
    import fastify from 'fastify';
    const server = fastify();
    server.get('/', () => ({}));
    console.log(await server.listen({ host: '127.0.0.1', port: 0 }));`;
  const child: Child = start('node', ['--input-type=module', '-e', program], { cwd: repoPath('.') });
  const url = await child.line(/^http/);
  return { url: `${url}/`, [Symbol.dispose]: () => child[Symbol.dispose]() };
}

/** Requests a second that wrk gets with 16 connections in 3 seconds. */
function rate(url: string, token: string): number {
  const text = execFileSync('wrk', ['-t1', '-c16', '-d3s', '-H', `Authorization: Bearer ${token}`, url], {
    encoding: 'utf8',
  });
  if (/Non-2xx/.test(text)) throw new Error(`wrk got errors:\n${text}`);
  return Number(/Requests\/sec:\s+(\S+)/.exec(text)?.[1]);
}
