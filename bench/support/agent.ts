import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Pool } from 'undici';
import { alone } from '../../test/support/alone.ts';
import { type Bpffs, mountBpffs } from '../../test/support/bpffs.ts';
import { disposable } from '../../test/support/disposal.ts';
import { type Child, start } from '../../test/support/process.ts';
import { repoPath } from '../../test/support/repo-root.ts';
import { tempDir } from '../../test/support/temp-dir.ts';

/**
 * The real agent as its own process, which sees no bpffs but its own, with an HTTP client of many
 * connections.
 */
export interface BenchAgent extends Disposable {
  /** The agent's own process; `child` is what keeps its namespaces. */
  readonly pid: number;
  readonly child: Child;
  readonly bpffs: Bpffs;
  readonly url: string;
  readonly token: string;
  /** The unix socket, for clients of one's own. */
  readonly socketPath: string;
  readonly pool: Pool;
  /** Over TCP, with the admin token. */
  readonly request: Request;
  /** Over the unix socket, as root. */
  readonly localRequest: Request;
  /** Milliseconds from its start until it was ready. */
  readonly readyMs: number;
}

/** Reads an answer to its end and gives its text; fails on anything but 2xx. */
export type Request = (
  method: 'GET' | 'PUT' | 'POST' | 'DELETE',
  path: string,
  options?: RequestOptions,
) => Promise<string>;

interface RequestOptions {
  readonly body?: unknown;
  readonly accept?: string;
}

/**
 * Starts an agent on a bpffs and waits until its first observation is done. `isAlone` hides all other
 * processes from it, who might keep it busy. `flags` are further options of `pinfold agent`.
 */
export async function startAgent(
  bpffs: Bpffs = mountBpffs(),
  connections = 32,
  isAlone = true,
  flags: readonly string[] = [],
): Promise<BenchAgent> {
  const state = tempDir('bench');
  const port = await freePort();
  const from = performance.now();
  const words = [
    'node',
    repoPath('bin/pinfold'),
    'agent',
    '--bpffs',
    bpffs.path,
    '--state-dir',
    join(state.path, 'state'),
    '--run-dir',
    join(state.path, 'run'),
    '--listen',
    `127.0.0.1:${port}`,
    '--log-level',
    'error',
    ...flags,
  ] as const;
  const [command, ...args] = isAlone ? alone(bpffs.path, words) : words;
  const child = start(command, args, { cwd: state.path });
  const url = `http://127.0.0.1:${port}`;
  await untilReady(url, child);
  const readyMs = performance.now() - from;
  const pid = isAlone ? onlyChildOf(child.pid) : child.pid;
  const token = readFileSync(join(state.path, 'state/admin.token'), 'utf8').trim();
  const pool = new Pool(url, { connections, pipelining: 1 });
  const socketPath = join(state.path, 'run/agent.sock');
  const local = new Pool('http://localhost', { connections, pipelining: 1, socketPath });
  const release = disposable(() => {
    void pool.destroy();
    void local.destroy();
    child[Symbol.dispose]();
    bpffs[Symbol.dispose]();
    state[Symbol.dispose]();
  });
  return {
    pid,
    child,
    bpffs,
    url,
    token,
    socketPath,
    pool,
    readyMs,
    ...release,
    request: requestOver(pool, { authorization: `Bearer ${token}` }),
    localRequest: requestOver(local, {}),
  };
}

/** Asks and reads the answer to its end. @throws Error for anything but 2xx */
function requestOver(pool: Pool, who: Readonly<Record<string, string>>): Request {
  return async (method, path, { body, accept } = {}) => {
    const answer = await pool.request({
      method,
      path,
      headers: {
        ...who,
        ...(accept === undefined ? {} : { accept }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`${method} ${path}: ${answer.statusCode} ${text}`);
    return text;
  };
}

function onlyChildOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'));
}

async function untilReady(url: string, child: Child): Promise<void> {
  for (let deadline = performance.now() + 60_000; performance.now() < deadline; ) {
    const ready = await fetch(`${url}/readyz`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (ready) return;
    if (child.ended() !== undefined) throw new Error(`the agent ended: ${child.stderr()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`the agent was not ready in time: ${child.stderr()}`);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
