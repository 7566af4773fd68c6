import { join } from 'node:path';
import supertest from 'supertest';
import type { Settings } from '../../src/model/config.ts';
import { createLog } from '../../src/model/log.ts';
import { mergeManagerConfig } from '../../src/model/manager-config.ts';
import { type RunningManager, startManager } from '../../src/start/manager.ts';
import { tempDir } from './temp-dir.ts';

/** A manager by itself in this process, with clients for both its listeners. */
export interface TestManager extends AsyncDisposable {
  readonly running: RunningManager;
  readonly socket: string;
  /** Origin of the TCP listener. */
  readonly url: string;
  readonly logs: readonly string[];
  /** Requests over the unix socket, as the user of this process. */
  readonly local: supertest.Agent;
  /** Requests over TCP with a token, or with none. */
  remote(secret: string | null): supertest.Agent;
}

/** Starts one; `await using` stops it. */
export async function testManager(settings: Settings): Promise<TestManager> {
  const dir = tempDir('manager');
  const runDir = join(dir.path, 'run');
  const own = { 'run-dir': runDir, listen: '127.0.0.1:0', node: 'm' };
  const flags = { ...own, ...settings };
  const logs: string[] = [];
  const log = createLog({ level: 'debug', write: (line) => logs.push(line), now: () => new Date() });
  let running: RunningManager;
  try {
    const config = mergeManagerConfig({ flags, env: {}, file: undefined, hostName: 'host' });
    running = await startManager(config, { log });
  } catch (error) {
    dir[Symbol.dispose]();
    throw error;
  }
  const socket = join(runDir, 'manager.sock');
  const url = running.addresses.find((address) => address.startsWith('http')) ?? '';
  return {
    running,
    socket,
    url,
    logs,
    local: supertest.agent(`http+unix://${encodeURIComponent(socket)}`),
    remote: (secret) => {
      const client = supertest.agent(url);
      return secret === null ? client : client.auth(secret, { type: 'bearer' });
    },
    [Symbol.asyncDispose]: async () => {
      await running.stop();
      dir[Symbol.dispose]();
    },
  };
}
