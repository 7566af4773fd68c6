import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { Webhook } from 'standardwebhooks';
import { limits } from '../../src/model/limits.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { startReceiver, unusedPort } from '../support/receiver.ts';
import { repoPath } from '../support/repo-root.ts';
import { databaseOf, sqlite3 } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

/** Agents see every bpffs of the machine: only these names are of this file. */
const own = `hook${process.pid}`;
const allow = { settings: { 'webhook-allow': ['127.0.0.0/8'] } };

/** Waits until a webhook has nothing more to send. */
async function untilSent(at: TestAgent, name: string): Promise<void> {
  const backlog = async () => (await at.local.get(`/v1/webhooks/${name}`).expect(200)).body.backlog;
  await until(`${name} to be at the end`, backlog, (left) => left === 0);
}

test('a pin that is made and removed is told to a receiver that knows the secret', async () => {
  await using receiver = await startReceiver();
  await using at = await testAgent(allow);
  const made = await at.local
    .put('/v1/webhooks/ops')
    .send({ url: receiver.url, types: ['pin.*'], prefix: own })
    .expect(201)
    .expect('location', '/v1/webhooks/ops');
  const { secret } = made.body;
  assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  createMap(`${at.bpffs.path}/source`, { name: 'pf_hook' });
  for (const path of [`${own}/m`, 'b']) {
    await at.local
      .put(`/v1/pins/${path}`)
      .send({ source: { pin: 'source' }, parents: true })
      .expect(201);
  }
  await at.local.delete(`/v1/pins/${own}/m`).expect(204);
  await until('both', () => receiver.received.length === 2);
  const verified = receiver.received.map(({ body, headers }) =>
    new Webhook(secret).verify(
      body,
      Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
    ),
  ) as readonly {
    readonly type: string;
    readonly subject: string;
    readonly data: { readonly seq: number };
  }[];
  assert.deepEqual(
    verified.map(({ type, subject }) => [type, subject]),
    [
      ['pinfold.pin.created', `pins/${own}/m`],
      ['pinfold.pin.removed', `pins/${own}/m`],
    ],
  );
  const { items } = (await at.local.get(`/v1/events?type=pin.created,pin.removed&prefix=${own}`).expect(200))
    .body;
  assert.deepEqual(
    verified.map(({ data }) => data),
    items,
  );
});

test('a secret is shown once, and is in no other answer and no log', async () => {
  await using at = await testAgent(allow);
  const port = await unusedPort();
  const url = `http://127.0.0.1:${port}/`;
  const given = `whsec_${Buffer.from('canary-canary-canary-canary').toString('base64')}`;
  const first = await at.local
    .put('/v1/webhooks/ops')
    .send({ url, secrets: [given] })
    .expect(201);
  assert.equal(first.body.secret, null, 'who gives one knows it');
  const added = await at.local
    .post('/v1/webhooks/ops/secrets')
    .set('idempotency-key', 'k')
    .send({})
    .expect(201);
  const again = await at.local
    .post('/v1/webhooks/ops/secrets')
    .set('idempotency-key', 'k')
    .send({})
    .expect(201);
  assert.deepEqual([typeof added.body.secret, again.body.secret], ['string', null]);
  assert.equal(again.body.secrets.length, 2);
  const answers = [
    await at.local.get('/v1/webhooks').expect(200),
    await at.local.get('/v1/webhooks/ops').expect(200),
    await at.local.put('/v1/webhooks/ops').send({ url }).expect(200),
    await at.local.post('/v1/webhooks/ops/ping').expect(200),
    await at.local.get('/v1/webhooks/ops/deliveries').expect(200),
    await at.local.get('/metrics').expect(200),
  ];
  const texts = [...answers.map(({ text }) => text), ...at.logs];
  for (const secret of [given, added.body.secret]) {
    const [, bytes = ''] = secret.split('_');
    assert.equal(
      texts.some((text) => text.includes(bytes) || text.includes(encodeURIComponent(bytes))),
      false,
    );
  }
  const ids = answers[1]?.body.secrets.map(({ id }: { id: string }) => id);
  const kept = sqlite3(databaseOf(at.config.stateDir), 'SELECT id FROM webhook_secret ORDER BY position');
  assert.deepEqual(ids, kept.split('\n'));
  await at.local.delete(`/v1/webhooks/ops/secrets/${ids[0]}`).expect(204);
  await at.local.delete(`/v1/webhooks/ops/secrets/${ids[0]}`).expect(404);
  await at.local.delete(`/v1/webhooks/ops/secrets/${ids[1]}`).expect(409);
});

test('a message is verified by the lines of shell that the documentation gives', async () => {
  await using receiver = await startReceiver();
  await using at = await testAgent(allow);
  const { secret } = (await at.local.put('/v1/webhooks/ops').send({ url: receiver.url }).expect(201)).body;
  await at.local.post('/v1/webhooks/ops/ping').expect(200);
  const [{ headers, body } = assert.fail()] = receiver.received;
  const lines = readFileSync(repoPath('docs/webhooks.md'), 'utf8').split('\n');
  const from = lines.findIndex((line) => line.includes('key=$('));
  using dir = tempDir('webhook-shell');
  writeFileSync(join(dir.path, 'body'), body);
  const env = { ...process.env, secret, id: headers['webhook-id'], timestamp: headers['webhook-timestamp'] };
  const script = lines.slice(from, from + 3).join('\n');
  const signature = execFileSync('sh', ['-c', script], { cwd: dir.path, env: env as NodeJS.ProcessEnv });
  assert.equal(headers['webhook-signature'], `v1,${signature.toString('utf8').trim()}`);
});

test('only an admin may look at webhooks or change them', async () => {
  await using at = await testAgent(allow);
  const operator = at.remote(await at.token('operator'));
  await operator.get('/v1/webhooks').expect(403);
  await operator.put('/v1/webhooks/x').send({ url: 'https://example.com/' }).expect(403);
  await operator.post('/v1/webhooks/x/ping').expect(403);
});

test('a webhook is changed, paused, resumed, replayed and removed; tags keep changes apart', async () => {
  await using receiver = await startReceiver();
  await using at = await testAgent(allow);
  const body = { url: receiver.url, types: ['pin.created'], prefix: own };
  const { headers } = await at.local.put('/v1/webhooks/ops').set('if-none-match', '*').send(body).expect(201);
  await at.local.put('/v1/webhooks/ops').set('if-none-match', '*').send(body).expect(409);
  const tag = String(headers['etag']);
  await at.local.get('/v1/webhooks/ops').set('if-none-match', tag).expect(304);
  const same = await at.local.put('/v1/webhooks/ops').set('if-match', tag).send(body).expect(200);
  assert.deepEqual([same.headers['etag'], same.body.secret], [tag, null]);
  const paused = await at.local.post('/v1/webhooks/ops/pause').send({ reason: 'moving house' }).expect(200);
  assert.deepEqual([paused.body.state, paused.body.state_reason], ['paused', 'moving house']);
  await at.local.delete('/v1/webhooks/ops').set('if-match', tag).expect(412);
  createMap(`${at.bpffs.path}/${own}`, { name: 'pf_hook' });
  await at.local.get('/v1/pins?fresh=true').expect(200);
  const resting = await at.local.get('/v1/webhooks/ops').expect(200);
  assert.ok(resting.body.backlog > 0 && receiver.received.length === 0);
  await at.local.post('/v1/webhooks/ops/resume').expect(200);
  await untilSent(at, 'ops');
  assert.equal(receiver.received.length, 1);
  await at.local.post('/v1/webhooks/ops/replay').send({ since: 0 }).expect(200);
  await untilSent(at, 'ops');
  assert.equal(receiver.received.length, 2);
  const ping = await at.local.post('/v1/webhooks/ops/ping').expect(200);
  assert.deepEqual([ping.body.kind, ping.body.state, ping.body.status], ['ping', 'delivered', 204]);
  const { items, total } = (await at.local.get('/v1/webhooks/ops/deliveries?state=delivered').expect(200))
    .body;
  assert.deepEqual([total, items[0].kind, items[1].kind], [3, 'ping', 'event']);
  const repeated = await at.local.post(`/v1/webhooks/ops/deliveries/${items[1].id}/replay`).expect(200);
  assert.equal(repeated.body.message_id, items[1].message_id);
  const { text } = await at.local.get('/metrics').expect(200);
  assert.match(text, /^pinfold_webhook_deliveries_total\{webhook="ops",result="delivered"\} 4$/m);
  assert.match(text, /^pinfold_webhook_backlog_events\{webhook="ops"\} 0$/m);
  assert.match(text, /^pinfold_webhook_state\{webhook="ops",state="active"\} 1$/m);
  await at.local.delete('/v1/webhooks/ops').expect(204);
  await at.local.get('/v1/webhooks/ops').expect(404);
  await at.local.get('/v1/webhooks/ops/deliveries').expect(404);
  assert.equal(sqlite3(databaseOf(at.config.stateDir), 'SELECT count(*) FROM webhook_delivery'), '0');
});

test('what is wrong with a webhook is said, with a pointer to it', async () => {
  await using at = await testAgent();
  const wrong: readonly (readonly [object, string])[] = [
    [{ url: 'http://example.com/' }, '/body/url'],
    [{ url: 'https://127.0.0.1/' }, '/body/url'],
    [{ url: 'https://example.com/', types: ['pin.eaten'] }, '/body/types/0'],
    [{ url: 'https://example.com/', types: ['*'] }, '/body/types/0'],
    [{ url: 'https://example.com/', secrets: [`whsec_${'A'.repeat(33)}`] }, '/body/secrets/0'],
  ];
  for (const [body, pointer] of wrong) {
    const { errors } = (await at.local.put('/v1/webhooks/x').send(body).expect(422)).body;
    assert.equal(errors[0].pointer, pointer);
  }
  await at.local.put('/v1/webhooks/x').send({ url: 'https://example.com/', prefix: 'a//b' }).expect(422);
  await at.local.put('/v1/webhooks/x').send({ url: 'https://example.com/', more: 1 }).expect(422);
  for (let nth = 0; nth < limits.webhooksMax; nth++)
    await at.local.put(`/v1/webhooks/n${nth}`).send({ url: 'https://192.0.32.10:8443/' }).expect(201);
  await at.local.put('/v1/webhooks/one-over').send({ url: 'https://192.0.32.10:8443/' }).expect(429);
  assert.equal((await at.local.get('/v1/webhooks').expect(200)).body.total, limits.webhooksMax);
});

test('a certificate is verified, by the name in the URL; --webhook-ca names who else may sign', async () => {
  using dir = tempDir('webhook-tls');
  const files = { cert: join(dir.path, 'cert.pem'), key: join(dir.path, 'key.pem') };
  const kind = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
  ];
  const subject = ['-subj', '/CN=hooks', '-addext', 'subjectAltName=DNS:hooks.example'];
  execFileSync('openssl', [...kind, '-keyout', files.key, '-out', files.cert, ...subject], {
    stdio: 'ignore',
  });
  const tls = { cert: readFileSync(files.cert, 'utf8'), key: readFileSync(files.key, 'utf8') };
  await using receiver = await startReceiver({ tls });
  const resolve = async () => ['127.0.0.1'];
  const ping = async (at: TestAgent): Promise<string> => {
    const { state, error } = (await at.local.post('/v1/webhooks/tls/ping').expect(200)).body;
    return `${state} ${String(error).replace(/:.*/s, '')}`;
  };
  // A machine that is busy may take longer than an attempt does.
  const isInTime = (text: string): boolean => !/not answered within|CONNECT_TIMEOUT/.test(text);
  const ask = async (at: TestAgent, host: string): Promise<string> => {
    // Of events only such as there are none: what else happens on this machine is not counted.
    const types = ['webhook.disabled'];
    await at.local.put('/v1/webhooks/tls').send({ url: `https://${host}:${receiver.port}/`, types });
    return await until('an attempt in time', () => ping(at), isInTime, { timeoutMs: 60_000 });
  };
  await using stranger = await testAgent({ ...allow, resolve });
  assert.equal(await ask(stranger, 'hooks.example'), 'failed DEPTH_ZERO_SELF_SIGNED_CERT');
  const settings = { ...allow.settings, 'webhook-ca': files.cert };
  await using friend = await testAgent({ settings, resolve });
  assert.equal(await ask(friend, 'hooks.example'), 'delivered null');
  const { length } = receiver.received;
  assert.equal(await ask(friend, 'other.example'), 'failed ERR_TLS_CERT_ALTNAME_INVALID');
  assert.equal(receiver.received.length, length, 'nothing more came');
});
