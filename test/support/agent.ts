import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import supertest from 'supertest';
import type { Agent } from '../../src/agent/agent.ts';
import { type RunningAgent, type Surroundings, startAgent } from '../../src/main.ts';
import { type AgentConfig, mergeConfig, type Settings } from '../../src/model/config.ts';
import { createLog } from '../../src/model/log.ts';
import type { Role } from '../../src/model/role.ts';
import { type Bpffs, mountBpffs } from './bpffs.ts';
import { tempDir } from './temp-dir.ts';

/**
 * The real agent in this process, on a bpffs and a state directory of its own, with clients for both
 * listeners.
 */
export interface TestAgent extends AsyncDisposable {
  readonly agent: Agent;
  readonly running: RunningAgent;
  readonly config: AgentConfig;
  readonly bpffs: Bpffs;
  /** `major:minor` of its bpffs. */
  readonly mount: string;
  readonly socket: string;
  /** Origin of the TCP listener, without a slash at its end. */
  readonly url: string;
  /** The admin token. */
  readonly secret: string;
  /** Every line it has logged. */
  readonly logs: readonly string[];
  /** Requests over the unix socket, as root. */
  readonly local: supertest.Agent;
  /** Requests over TCP, with a bearer token, the admin's unless told; `null` for none. */
  remote(secret?: string | null): supertest.Agent;
  /** Makes a token of a role and gives its secret. */
  token(role: Role): Promise<string>;
  /** Stops it, keeping bpffs and state, and starts another in its place. */
  restart(): Promise<TestAgent>;
}

/**
 * What tests set: options of the agent by name, what surrounds it, and a bpffs or state directory that is
 * there already.
 */
export interface TestAgentOptions extends Partial<Surroundings> {
  readonly settings?: Settings;
  /** The configuration file's document. */
  readonly file?: unknown;
  readonly bpffs?: Bpffs;
  readonly stateDir?: string;
}

/** Starts one; `await using` stops it and removes everything it stood on. */
export async function testAgent(options: TestAgentOptions = {}): Promise<TestAgent> {
  const bpffs = options.bpffs ?? mountBpffs();
  const dir = tempDir('agent');
  const stateDir = options.stateDir ?? join(dir.path, 'state');
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const runDir = join(dir.path, 'run');
  const own = {
    bpffs: bpffs.path,
    'state-dir': stateDir,
    'run-dir': runDir,
    listen: '127.0.0.1:0',
    node: 'test-node',
  };
  const config = mergeConfig({
    flags: { ...own, ...options.settings },
    env: {},
    file: options.file,
    hostName: 'host',
  });
  const logs: string[] = [];
  const log =
    options.log ?? createLog({ level: 'debug', write: (line) => logs.push(line), now: () => new Date() });
  const release = (): void => {
    dir[Symbol.dispose]();
    if (options.bpffs === undefined) bpffs[Symbol.dispose]();
  };
  let running: RunningAgent;
  try {
    running = await startAgent(config, { ...options, log });
  } catch (error) {
    release();
    throw error;
  }
  const socket = join(runDir, 'agent.sock');
  const url = running.addresses.find((address) => address.startsWith('http')) ?? '';
  const local = supertest.agent(`http+unix://${encodeURIComponent(socket)}`);
  let tokens = 0;
  const self: TestAgent = {
    agent: running.agent,
    running,
    config,
    bpffs,
    socket,
    url,
    logs,
    local,
    mount: running.agent.reads.mounts().value.find(({ primary }) => primary)?.id ?? '',
    secret: running.secret,
    remote: (secret = running.secret) => {
      const client = supertest.agent(url);
      return secret === null ? client : client.auth(secret, { type: 'bearer' });
    },
    token: async (role) => {
      const answer = await local
        .post('/v1/tokens')
        .send({ name: `${role}-${++tokens}`, role })
        .expect(201);
      return String(answer.body.token);
    },
    restart: async () => {
      await running.stop();
      return await testAgent({ ...options, bpffs, stateDir });
    },
    [Symbol.asyncDispose]: async () => {
      await running.stop();
      release();
    },
  };
  return self;
}
