import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { writeClusterKey } from '../../src/cluster/signing/key-file.ts';
import { testAgent } from '../support/agent.ts';
import { commandLine } from '../support/command-line.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';
import { testManager } from '../support/manager.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

const dir = tempDir('fleet-tokens');
let etcd: TestEtcd | undefined;
const opening = open();
const patience = { timeoutMs: 60_000, everyMs: 20 };

/** A node that is a manager, too, and two managers by themselves. */
async function open() {
  etcd = await startEtcd();
  const key = join(dir.path, 'key');
  writeClusterKey(key);
  const settings = { etcd: etcd.urls, 'cluster-key': key };
  const node = await testAgent({ settings: { ...settings, node: 'n', manager: true } });
  const [one, other] = [
    await testManager({ ...settings, node: 'm1' }),
    await testManager({ ...settings, node: 'm2' }),
  ];
  return { etcd, settings, node, one, other };
}

after(async () => {
  const world = await opening.catch(() => undefined);
  for (const at of world === undefined ? [] : [world.one, world.other, world.node])
    await at[Symbol.asyncDispose]();
  etcd?.[Symbol.dispose]();
  dir[Symbol.dispose]();
});

async function make(name: string, role: string): Promise<string> {
  const { one } = await opening;
  const { body } = await one.local.post('/v1/cluster/tokens').send({ name, role }).expect(201);
  return String(body.token);
}

test('a token of the fleet is good at the manager that made it at once, and soon at all', async () => {
  const { one, other, node } = await opening;
  const secret = await make('ci', 'viewer');
  await one.remote(secret).get('/v1/cluster/nodes').expect(200);
  for (const at of [other, node]) {
    await until(
      'it to be known',
      async () => (await at.remote(secret).get('/v1/cluster/nodes')).status,
      (status) => status === 200,
      patience,
    );
  }
  const { body } = await other.local.get('/v1/cluster/tokens').expect(200);
  const { created_at: madeAt, ...told } = body.items[0];
  assert.deepEqual(
    { ...told, created_by: told.created_by.replace(/pid:.*/, '') },
    { name: 'ci', role: 'viewer', expires_at: null, created_by: 'uid:0 ' },
  );
  assert.ok(Math.abs(Date.parse(madeAt) - Date.now()) < 3_600_000);
  await one.remote(secret).get('/v1/cluster/tokens').expect(403);
});

test('etcd has the hash of a secret and not the secret', async () => {
  const { etcd: store } = await opening;
  const secret = await make('hashed', 'reader');
  const text = store.ctl('get', '/pinfold/v1/tokens/hashed', '--print-value-only');
  assert.ok(!text.includes(secret));
  const { sha256, role } = JSON.parse(text);
  assert.deepEqual([sha256, role], [createHash('sha256').update(secret).digest('base64url'), 'reader']);
});

test('revoked at one manager it is refused there at once, and everywhere once they hear of it', async () => {
  const { one, other, node } = await opening;
  const secret = await make('short', 'operator');
  const isKnown = async (at: typeof other | typeof node) =>
    (await at.remote(secret).get('/v1/cluster/nodes')).status === 200;
  for (const at of [other, node]) await until('it to be known', () => isKnown(at), Boolean, patience);
  await one.local.delete('/v1/cluster/tokens/short').expect(204);
  assert.equal((await one.remote(secret).get('/v1/cluster/nodes').expect(401)).body.code, 'unauthenticated');
  for (const at of [other, node])
    await until('it to be refused', async () => !(await isKnown(at)), Boolean, patience);
  assert.equal((await one.local.delete('/v1/cluster/tokens/short').expect(404)).body.code, 'token_not_found');
});

test('its caller acts at a node under the token’s name, with no more than the node allows', async () => {
  const { one, node } = await opening;
  const operator = await make('deploy', 'operator');
  const boss = await make('boss', 'admin');
  const through = '/v1/cluster/nodes/n/api';
  await node.local.put('/v1/directories/made').expect(201);
  await one.remote(operator).put(`${through}/v1/directories/made%2Fthere`).expect(201);
  assert.ok(node.logs.some((line) => line.includes('fleet:deploy via:m1')));
  await one.remote(boss).get('/v1/cluster/tokens').expect(200);
  await one.remote(boss).get(`${through}/v1/tokens`).expect(403);
  const knows = async () => (await node.remote(boss).get('/v1/cluster/tokens')).status === 200;
  await until('the node’s own manager to know it', knows, Boolean, patience);
  const own = await node.remote(boss).get('/v1/tokens').expect(403);
  assert.match(own.body.detail, /fleet:boss has the role operator/, 'as if it came through a manager');
  await node.remote(boss).get('/v1/pins').expect(200);
});

test('names are one set, terms are kept, and what is none is refused', async () => {
  const { one, other } = await opening;
  await make('once', 'viewer');
  const again = await other.local
    .post('/v1/cluster/tokens')
    .send({ name: 'once', role: 'admin' })
    .expect(409);
  assert.equal(again.body.code, 'already_exists');
  const brief = { name: 'brief', role: 'viewer', expires_in: '1ms' };
  const { body } = await one.local.post('/v1/cluster/tokens').send(brief).expect(201);
  await until(
    'it to be over',
    async () => await one.remote(body.token).get('/v1/cluster/nodes'),
    (answer) => answer.status === 401 && /expired/.test(answer.body.detail),
    patience,
  );
  for (const wrong of [{ name: 'x' }, { name: '../x', role: 'viewer' }, { name: 'x', role: 'king' }, {}])
    await one.local.post('/v1/cluster/tokens').send(wrong).expect(422);
  await one.local.post('/v1/cluster/tokens').send({ name: 'ends-with.', role: 'viewer' }).expect(422);
});

test('a node that is no manager has no tokens of the fleet', async () => {
  const { settings } = await opening;
  await using plain = await testAgent({ settings: { ...settings, node: 'plain' } });
  const refused = await plain.local.get('/v1/cluster/tokens').expect(421);
  assert.equal(refused.body.code, 'not_a_manager');
  await plain
    .remote(await make('lost', 'admin'))
    .get('/v1/pins')
    .expect(401);
});

test('pinfold token --fleet makes, lists and revokes them', async () => {
  const { one } = await opening;
  const at = ['--address', one.socket];
  const made = await commandLine(['token', 'create', 'cli', '--role', 'viewer', '--fleet', ...at]);
  assert.equal(made.code, 0, made.err);
  const file = join(dir.path, 'token');
  writeFileSync(file, made.out);
  const listed = await commandLine([
    'get',
    'nodes',
    '-o',
    'name',
    '--address',
    one.url,
    '--token-file',
    file,
  ]);
  assert.deepEqual([listed.code, listed.out.startsWith('n\n')], [0, true]);
  const { out } = await commandLine(['token', 'list', '--fleet', '-o', 'name', ...at]);
  assert.ok(out.split('\n').includes('cli'));
  assert.deepEqual(await commandLine(['token', 'revoke', 'cli', '--fleet', ...at]), {
    ...{ code: 0, out: 'cli revoked\n', err: '' },
  });
});
