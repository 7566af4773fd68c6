import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { commandLine } from '../support/command-line.ts';
import { answering, startReceiver } from '../support/receiver.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

const own = `clihook${process.pid}`;

test('webhooks are made, looked at, tried, replayed and removed from the command line', async () => {
  let status = 200;
  await using receiver = await startReceiver({ answer: (...all) => answering(status)(...all) });
  await using agent = await testAgent({ settings: { 'webhook-allow': ['127.0.0.0/8'] } });
  const pinfold = (...words: readonly string[]) => commandLine([...words, '--address', agent.socket]);
  const made = await pinfold('webhook', 'put', 'ops', receiver.url, '--type', 'pin.*', '--prefix', own);
  assert.match(made.out, /^whsec_\S{44}\n$/);
  assert.match(made.err, /^ops made; it signs with this secret, which is not shown again:\n$/);
  const ping = await pinfold('webhook', 'ping', 'ops');
  assert.match(ping.out, /^ops answered 200 after \d+ ms\n$/);
  createMap(join(agent.bpffs.path, own), { name: 'pf_clihook' });
  const isTold = () => receiver.received.some(({ seq }) => seq !== undefined);
  await until('the pin to be told', isTold, Boolean, { timeoutMs: 60_000 });
  const list = await pinfold('get', 'webhooks', '--no-headers');
  assert.match(list.out, new RegExp(`^ops +active +\\d+ +0 +pin\\.\\* +${own} +\\S+ +http://127`));
  const described = await pinfold('describe', 'webhook', 'ops');
  assert.match(described.out, /^State: +active$/m);
  assert.equal(described.out.includes(made.out.trim()), false);
  const sent = await pinfold('webhook', 'deliveries', 'ops', '-o', 'json');
  const [event, first] = JSON.parse(sent.out).items;
  assert.deepEqual([event.type, first.type], ['pinfold.pin.created', 'pinfold.ping']);
  const again = await pinfold('webhook', 'replay', 'ops', '--delivery', String(event.id));
  assert.equal(again.code, 0, again.err);
  assert.equal(receiver.received.filter(({ seq }) => seq === event.seq).length, 2);
  await pinfold('webhook', 'replay', 'ops', '--since', String(event.seq - 1));
  await until(
    'it to come a third time',
    () => receiver.received.filter(({ seq }) => seq === event.seq).length === 3,
  );
  status = 503;
  const failed = await pinfold('webhook', 'ping', 'ops');
  assert.deepEqual(
    [failed.code, failed.out, failed.err],
    [1, '', 'pinfold: ops answered 503: not accepted\n'],
  );
  assert.equal((await pinfold('webhook', 'pause', 'ops', '--reason', 'a\u001b[31m')).code, 0);
  assert.match((await pinfold('get', 'webhooks', '-o', 'wide')).out, /paused.*a\\x1b\[31m/);
  assert.equal((await pinfold('webhook', 'resume', 'ops')).out, 'ops resumed\n');
  assert.equal((await pinfold('webhook', 'rm', 'ops')).out, 'ops removed\n');
  assert.equal((await pinfold('webhook', 'rm', 'ops')).code, 3);
  assert.equal((await pinfold('webhook', 'replay', 'ops')).code, 2);
});

test('secrets are changed one after the other, and come from files', async () => {
  using dir = tempDir('webhook-secret');
  const file = join(dir.path, 'secret');
  writeFileSync(file, `whsec_${Buffer.alloc(32, 1).toString('base64')}\n`);
  await using agent = await testAgent({ settings: { 'webhook-allow': ['127.0.0.0/8'] } });
  const pinfold = (...words: readonly string[]) => commandLine([...words, '--address', agent.socket]);
  const put = await pinfold('webhook', 'put', 'ops', 'http://127.0.0.1:9090/', '--secret-file', file);
  assert.deepEqual([put.out, put.err], ['ops made\n', '']);
  const added = await pinfold('webhook', 'secret', 'add', 'ops');
  assert.match(added.out, /^whsec_/);
  assert.match(added.err, /^ops signs with 2 secrets; /);
  const { secrets } = JSON.parse((await pinfold('describe', 'webhook', 'ops', '-o', 'json')).out);
  assert.equal((await pinfold('webhook', 'secret', 'rm', 'ops', secrets[0].id)).code, 0);
  assert.equal((await pinfold('webhook', 'secret', 'rm', 'ops', secrets[1].id)).code, 4);
  const missing = await pinfold(
    'webhook',
    'put',
    'x',
    'https://example.com/',
    '--secret-file',
    `${file}-not`,
  );
  assert.deepEqual([missing.code, /cannot be read \(ENOENT\)/.test(missing.err)], [2, true]);
});
