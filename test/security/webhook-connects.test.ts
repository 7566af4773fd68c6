import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { extname, join } from 'node:path';
import test from 'node:test';
import supertest from 'supertest';
import type { WebhookVictimOrders } from '../crash/support/webhook-victim.ts';
import { openNamespaces } from '../support/mount-ns.ts';
import { tempDir } from '../support/temp-dir.ts';
import { hostileNames, hostileUrls } from './webhook-urls-fixture.ts';

const victim = join(
  import.meta.dirname,
  '../crash/support',
  `webhook-victim${extname(import.meta.filename)}`,
);
const port = 7788;

/** Addresses that are not for everybody, but lead to this very machine here: one would be connected. */
const own = ['10.0.0.1/8', '169.254.169.254/16', '192.168.0.1/16', '100.64.0.1/10', 'fd00:ec2::254/8'];

/** Says of every connection that it is there. */
const canary = `
import socket
listener = socket.create_server(('::', ${port}), family=socket.AF_INET6, dualstack_ipv6=True)
print('listening', flush=True)
while True:
    connection, address = listener.accept()
    print('connected', address[0], flush=True)
    connection.close()
`;

test('an agent given hostile URLs, and hosts that lie, asks the kernel for no connection', async () => {
  using namespaces = await openNamespaces({ net: true });
  using dir = tempDir('webhook-connects');
  const hosts = join(dir.path, 'hosts');
  const lines = Object.entries(hostileNames).flatMap(([name, places]) =>
    places.filter((place) => isIP(place) > 0 && !place.includes('%')).map((place) => `${place} ${name}\n`),
  );
  writeFileSync(hosts, `${lines.join('')}127.0.0.2 allowed.example\n`);
  namespaces.run('mount', '--bind', hosts, '/etc/hosts');
  for (const address of own) namespaces.run('ip', 'address', 'add', address, 'dev', 'lo');
  using bird = namespaces.start('python3', '-c', canary);
  await bird.line(/^listening$/);
  const runDir = join(dir.path, 'run');
  const stateDir = join(dir.path, 'state');
  mkdirSync(stateDir, { mode: 0o700 });
  const orders: WebhookVictimOrders = { bpffs: '/sys/fs/bpf', stateDir, runDir, allow: ['127.0.0.2/32'] };
  const trace = join(dir.path, 'trace');
  const watch = ['-f', '--seccomp-bpf', '-yy', '-e', 'trace=connect', '-o', trace];
  const program = [process.execPath, ...process.execArgv, victim, JSON.stringify(orders)];
  using agent = namespaces.start('strace', ...watch, ...program);
  await agent.line(/^ready$/, 120_000);
  const client = supertest.agent(`http+unix://${encodeURIComponent(join(runDir, 'agent.sock'))}`);
  let pinged = 0;
  const urls = [...new Set(hostileUrls(port))];
  assert.ok(urls.length >= 200, `${urls.length} URLs`);
  for (const url of urls) {
    const { status } = await client.put('/v1/webhooks/hook').send({ url });
    assert.ok([200, 201, 422].includes(status), `${url}: ${status}`);
    if (status === 422) continue;
    const { body } = await client.post('/v1/webhooks/hook/ping').expect(200);
    assert.deepEqual([body.state, body.status], ['failed', null], url);
    pinged++;
  }
  assert.ok(pinged > 15, `${pinged} URLs were tried`);
  const tcp = (): readonly string[] =>
    readFileSync(trace, 'utf8')
      .split('\n')
      .filter((line) => /connect\(\d+<TCP/.test(line));
  assert.deepEqual([tcp(), bird.lines.slice(1)], [[], []]);
  // The same watchers see the connection that is allowed.
  await client.put('/v1/webhooks/hook').send({ url: `http://allowed.example:${port}/` });
  await client.post('/v1/webhooks/hook/ping').expect(200);
  await bird.line(/^connected/);
  assert.match(tcp().join('\n'), /sin_port=htons\(7788\), sin_addr=inet_addr\("127\.0\.0\.2"\)/);
});
