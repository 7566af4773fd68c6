import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import test, { after } from 'node:test';
import { testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { forFile } from '../support/disposal.ts';
import { until } from '../support/until.ts';
import { openPodman } from './podman-fixture.ts';

const agent = await testAgent();
after(() => agent[Symbol.asyncDispose]());
const podman = forFile(openPodman(agent.socket, { claim: ['net/policy'] }));
mkdirSync(`${agent.bpffs.path}/net`);
mkdirSync(`${agent.bpffs.path}/app`);

interface Claim {
  readonly owner: string;
  readonly labels: Readonly<Record<string, string>>;
}

async function claims(runtime: string): Promise<readonly Claim[]> {
  const { body } = await agent.local.get(`/v1/claims?label=runtime%3D${runtime}`).expect(200);
  return body.items;
}

const isOne = (items: readonly Claim[]): boolean => items.length === 1;
const isNone = (items: readonly Claim[]): boolean => items.length === 0;
const patience = { timeoutMs: 60_000 };

test('podman with the hooks starts a container when its pin comes, and its claim ends with it', async () => {
  using container = podman.run('--network=none', '--annotation=pinfold/claim=app/flows');
  const [claim] = await until('the claim', () => claims('oci'), isOne, patience);
  assert.match(claim?.owner ?? '', /^oci:[0-9a-f]{64}$/);
  assert.deepEqual(container.lines, []);
  createMap(`${agent.bpffs.path}/app/flows`, { name: 'pf_podman' });
  await container.line(/^runs$/, 70_000);
  assert.equal((await claims('oci')).length, 1);
  container.end();
  assert.deepEqual(await container.exit(60_000), { code: 0, signal: null }, container.stderr());
  await until('the end of the claim', () => claims('oci'), isNone, patience);
});

test('podman with an annotation misspelt starts no container', async () => {
  using container = podman.run('--network=none', '--annotation=pinfold/waits=app/flows');
  assert.notEqual((await container.exit(60_000)).code, 0);
  assert.deepEqual(container.lines, []);
});

test('podman calls the plugin after a real bridge: no network without the pin, no claim left', async () => {
  using container = podman.run('--network=pf');
  const [claim] = await until('the claim', () => claims('cni'), isOne, patience);
  assert.match(claim?.owner ?? '', /^cni:pf:[0-9a-f]{64}:eth0$/);
  assert.deepEqual(container.lines, []);
  createMap(`${agent.bpffs.path}/net/policy`, { name: 'pf_podman' });
  await container.line(/^runs$/, 70_000);
  const refused = await agent.local.delete('/v1/pins/net/policy').expect(409);
  assert.ok(refused.body.hazards.includes('claimed'), refused.text);
  container.end();
  assert.deepEqual(await container.exit(60_000), { code: 0, signal: null }, container.stderr());
  await until('the end of the claim', () => claims('cni'), isNone, patience);
});
