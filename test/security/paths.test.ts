import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import test from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { random, testSeed } from '../support/seed.ts';
import { tempDir } from '../support/temp-dir.ts';

const seed = testSeed();
const total = 20_000;
const lanes = 8;

const pieces = [
  '..',
  '.',
  '',
  '%2e%2e',
  '%2E.',
  '%252e%252e',
  '%2F',
  '%5c..%5c',
  '%00',
  'a',
  'd',
  'b',
  'x y',
  'deep',
  'kept',
  'canary',
  'etc',
  'passwd',
  '%0a',
  '%0d%0a',
  '%ff',
  '%c0%ae%c0%ae',
  '%e2%80%ae',
  '%1b[31m',
  '*',
  '%20',
  "'",
  '%22',
  'proc',
  'self',
  'root',
  'link',
  'pinfold-staging',
  'n'.repeat(255),
  'n'.repeat(256),
  '%FF'.repeat(255),
  '%FF'.repeat(256),
  '%',
  '%zz',
  '%u002e',
  ';x=1',
  '%3Fdry_run=true',
  '#f',
] as const;

/** A tree outside the bpffs as sha256sum and find see it. */
function stateOf(directory: string): string {
  const command = 'find . -printf "%p %m %U %G %s\\n" | sort; find . -type f -exec sha256sum {} + | sort';
  return execFileSync('sh', ['-c', command], { cwd: directory, encoding: 'latin1' });
}

async function send(
  at: TestAgent,
  agent: Agent,
  method: string,
  path: string,
): Promise<{ status: number; body: string }> {
  return await new Promise((resolve, reject) => {
    const body = method === 'PUT' ? JSON.stringify({ source: { pin: 'steady' }, parents: true }) : undefined;
    const headers =
      body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length };
    const sent = request({ agent, socketPath: at.socket, method, path, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

test('20,000 generated paths: nothing outside the bpffs is touched, and nothing is 5xx', async () => {
  await using at = await testAgent();
  using outside = tempDir('canary');
  mkdirSync(join(outside.path, 'd'));
  for (const name of ['canary', 'd/kept', 'kept']) writeFileSync(join(outside.path, name), name);
  const before = stateOf(outside.path);
  createMap(`${at.bpffs.path}/steady`, { name: 'pf_kept' });
  execFileSync('ln', ['-s', outside.path, `${at.bpffs.path}/link`]);
  const wrong: string[] = [];
  const statuses = new Map<number, number>();
  const work = async (lane: number): Promise<void> => {
    const draw = random(seed + lane);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let sent = 0; sent < total / lanes; sent++) {
      const path = Array.from({ length: 1 + draw.int(6) }, () => draw.pick(pieces)).join(
        draw.pick(['/', '/', '//', '%2F']),
      );
      const method = draw.pick(['GET', 'PUT', 'DELETE']);
      const resource = draw.pick(['pins', 'pins', 'directories']);
      const { status, body } = await send(
        at,
        agent,
        method,
        `/v1/${resource}/${path.replaceAll(' ', '%20')}`,
      );
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status >= 500) wrong.push(`${method} ${resource} ${path}: ${body}`);
      if (body.includes(outside.path) && !body.includes('"code":"symlink"'))
        wrong.push(`${path} tells of ${outside.path}`);
    }
    agent.destroy();
  };
  await Promise.all(Array.from({ length: lanes }, (_, lane) => work(lane)));
  assert.deepEqual(wrong.slice(0, 5), []);
  assert.equal(stateOf(outside.path), before);
  assert.ok((statuses.get(422) ?? 0) > 1000 && (statuses.get(201) ?? 0) > 0, JSON.stringify([...statuses]));
  assert.equal((await at.local.get('/v1/pins/steady')).status, 200);
});
