import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import supertest from 'supertest';
import { mountBpffs } from '../support/bpffs.ts';
import { createMap } from '../support/bpftool.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { type Container, consumerPod, daemonPod, documents, runContainer } from './kubernetes-fixture.ts';

const patience = { timeoutMs: 120_000 };

/** Names of the capabilities in a mask of /proc/PID/status, by their numbers in linux/capability.h. */
const numbers = {
  ...{ CHOWN: 0, DAC_OVERRIDE: 1, DAC_READ_SEARCH: 2, FOWNER: 3 },
  ...{ SYS_CHROOT: 18, SYS_PTRACE: 19, SYS_ADMIN: 21 },
};

function effectiveOf(pid: number): readonly string[] {
  const mask = BigInt(`0x${/^CapEff:\s+(\w+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]}`);
  const known = Object.entries(numbers).filter(([, number]) => (mask >> BigInt(number)) & 1n);
  assert.equal(
    mask,
    known.reduce((sum, [, number]) => sum | (1n << BigInt(number)), 0n),
  );
  return known.map(([name]) => name).sort();
}

function containerOf(containers: readonly Container[]): Container {
  const [first] = containers;
  assert.ok(first !== undefined);
  return first;
}

test('in containers with the rights of the examples, a pod waits for its pin at the agent', async () => {
  using bpffs = mountBpffs('mode=0755');
  using dir = tempDir('node');
  const volumes = Object.fromEntries(['run', 'state', 'config'].map((name) => [name, join(dir.path, name)]));
  for (const path of Object.values(volumes)) mkdirSync(path, { mode: 0o755 });
  writeFileSync(join(dir.path, 'config/config.yaml'), documents[1].data['config.yaml']);
  const agentContainer = containerOf(daemonPod.containers);
  const name = `worker-${process.pid}`;
  const node = { volumes: { ...volumes, bpffs: bpffs.path }, env: { NODE_NAME: name } };
  using agent = runContainer(daemonPod, agentContainer, node);
  const client = supertest.agent(`http+unix://${encodeURIComponent(join(dir.path, 'run/agent.sock'))}`);
  const ready = async (): Promise<boolean> => {
    if (agent.ended() !== undefined) throw new Error(`the agent ended: ${agent.stderr()}`);
    const answer = await client.get('/readyz').catch(() => undefined);
    return answer?.status === 200;
  };
  await until('the agent is ready', ready, Boolean, patience);
  const { body } = await client.get('/v1/node').expect(200);
  assert.equal(body.name, name);
  const pid = Number(execFileSync('pgrep', ['-f', `[-]-node ${name}$`], { encoding: 'utf8' }));
  assert.deepEqual(effectiveOf(pid), [...(agentContainer.securityContext.capabilities?.add ?? [])].sort());
  const { mode, gid } = statSync(join(dir.path, 'run'));
  assert.deepEqual([mode & 0o777, gid], [0o710, 7463]);

  const waiter = containerOf(consumerPod.initContainers);
  const consumer = { volumes: { pinfold: join(dir.path, 'run') } };
  const soon = { ...waiter, args: waiter.args.map((word) => (word === '5m' ? '1s' : word)) };
  using late = runContainer(consumerPod, soon, consumer);
  assert.deepEqual(await late.exit(60_000), { code: 124, signal: null }, late.stderr());
  using waiting = runContainer(consumerPod, waiter, consumer);
  mkdirSync(`${bpffs.path}/tc/globals`, { recursive: true });
  createMap(`${bpffs.path}/tc/globals/flows`, { name: 'pf_k8s' });
  assert.deepEqual(await waiting.exit(60_000), { code: 0, signal: null }, waiting.stderr());
});
