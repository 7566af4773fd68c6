import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { openTransport } from '../../src/client/transport.ts';
import { readClusterKey, writeClusterKey } from '../../src/cluster/signing/key-file.ts';
import { emptyBodyHash, meaningOf, signedHeaders } from '../../src/cluster/signing/signature.ts';
import { ConfigError } from '../../src/model/config.ts';
import { testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';
import { testManager } from '../support/manager.ts';
import { askTls, type Pair, type TestPki, testPki } from '../support/pki.ts';
import { startSlowProxy } from '../support/slow-proxy.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

let etcd: TestEtcd | undefined;
const authorities: TestPki[] = [];
const opening = open();
const patience = { timeoutMs: 60_000, everyMs: 100 };

/** A manager `m` that is a node, too, a node `n`, and a node `s` of a stranger's authority. */
async function open() {
  etcd = await startEtcd();
  const [ours, theirs] = [await testPki(), await testPki()];
  authorities.push(ours, theirs);
  const { urls } = etcd;
  const agent = async (pki: TestPki, node: string, isManager: boolean) => {
    const pair = await pki.issue(node, { isNode: true, isManager });
    const settings = { node, etcd: urls, manager: isManager, ...pki.settings(pair) };
    return { pair, at: await testAgent({ settings }) };
  };
  const [m, n, s] = [
    await agent(ours, 'm', true),
    await agent(ours, 'n', false),
    await agent(theirs, 's', false),
  ];
  createMap(`${n.at.bpffs.path}/far`, { name: 'pf_fleet' });
  await n.at.local.get('/v1/pins?fresh=true').expect(200);
  return { etcd, ours, theirs, m, n, s };
}

after(async () => {
  const world = await opening.catch(() => undefined);
  for (const { at } of world === undefined ? [] : [world.m, world.n, world.s])
    await at[Symbol.asyncDispose]();
  etcd?.[Symbol.dispose]();
  for (const pki of authorities) pki[Symbol.dispose]();
});

/** Asks `n` for its tokens (admin), or for a pin (viewer), with the pair of somebody. */
async function asks(
  pair: Pair | undefined,
  headers: Readonly<Record<string, string>>,
  path = '/v1/pins/far',
) {
  const { ours, n } = await opening;
  return await askTls({ url: `${n.at.url}${path}`, ca: ours.ca, pair, headers });
}

const speaking = (role: string) => ({ 'pinfold-actor': 'api:ci', 'pinfold-role': role });

test('with certificates alone managers and nodes know each other, and a stranger is named', async () => {
  const { m, n, s } = await opening;
  assert.match(n.at.url, /^https:/);
  const { body } = await until(
    'all to be in the fleet',
    async () => await m.at.local.get('/v1/cluster/pins?node=n&node=s'),
    ({ body: seen }) => seen.items?.length === 1 && seen.unreachable.length === 1,
    patience,
  );
  assert.deepEqual([body.items[0].node, body.items[0].path], ['n', 'far']);
  assert.equal(body.unreachable[0].node, 's');
  assert.match(body.unreachable[0].reason, /certificate|signed/i);
  const through = '/v1/cluster/nodes/n/api/v1/pins/far';
  await m.at.local.get(through).expect(200);
  await m.at.local
    .patch(through)
    .send({ labels: { by: 'm' } })
    .expect(200);
  const { body: history } = await n.at.local.get('/v1/events?pin=far&type=pin.changed').expect(200);
  assert.match(history.items.at(-1).actor, /^uid:0 pid:\d+ comm:\S+ via:m$/);
  assert.ok(n.at.logs.some((line) => line.includes('"audit"') && line.includes('via:m')));
  await m.at.local.get('/v1/cluster/nodes/m/api/v1/node').expect(200);
  await s.at.local.get('/v1/pins').expect(200);
});

test('a manager by itself is known by its certificate, too', async () => {
  const { etcd: store, ours } = await opening;
  const pair = await ours.issue('alone', { isManager: true });
  await using alone = await testManager({ etcd: store.urls, node: 'alone', ...ours.settings(pair) });
  await until(
    'the node to answer it',
    async () => (await alone.local.get('/v1/cluster/pins?node=n')).body,
    ({ complete, items }) => complete === true && items.length === 1,
    patience,
  );
  const refused = await alone.local.get('/v1/cluster/nodes/n/api/v1/tokens').expect(403);
  assert.match(refused.body.detail, /via:alone has the role operator/);
});

test('a manager takes a node for the one it means only by that node’s own certificate', async () => {
  const { etcd: store, m, n } = await opening;
  const member = store.ctl('get', '/pinfold/v1/nodes/n/member', '--print-value-only').trim();
  store.ctl('put', '/pinfold/v1/nodes/ghost/member', member);
  const { body } = await until(
    'the ghost to be called',
    async () => await m.at.local.get('/v1/cluster/pins?node=ghost'),
    ({ body: seen }) => seen.unreachable?.length === 1,
    patience,
  );
  assert.deepEqual(body.items, []);
  assert.match(body.unreachable[0].reason, /it showed the certificate of the node n/);
  assert.match(body.unreachable[0].reason, new RegExp(n.at.url));
  store.ctl('del', '/pinfold/v1/nodes/ghost/member');
});

test('a deadline ends the wait for a connection that does not come about; the next one is new', async () => {
  const { m, n, ours } = await opening;
  await using way = await startSlowProxy(n.at.url.replace('https:', 'http:'), 0);
  const pem = (file: string): string => readFileSync(file, 'utf8');
  const transport = openTransport({
    address: { kind: 'url', url: way.url.replace('http:', 'https:'), isLoopback: true },
    timeoutMs: 300_000,
    tls: { ca: pem(ours.ca), cert: pem(m.pair.cert), key: pem(m.pair.key) },
  });
  const ask = async (signal: AbortSignal) =>
    await transport.send({ method: 'GET', target: '/readyz', headers: {}, body: null, signal });
  try {
    way.hush(true);
    const leaving = new AbortController();
    const first = ask(leaving.signal);
    await until('it to connect', way.hushed, (count) => count > 0, patience);
    leaving.abort();
    await assert.rejects(first);
    way.hush(false);
    const { status, body } = await ask(new AbortController().signal);
    body.resume();
    assert.equal(status, 200);
  } finally {
    await transport.close();
  }
});

test('only a manager’s certificate speaks for others, and with no more than the node allows', async () => {
  const { ours, m, n } = await opening;
  const other = await ours.issue('other', { isNode: true });
  const person = await ours.issue('person');
  assert.equal((await asks(m.pair, speaking('viewer'))).status, 200);
  assert.equal((await asks(m.pair, speaking('reader'), '/v1/tokens')).status, 403);
  const capped = await asks(m.pair, speaking('admin'), '/v1/tokens');
  assert.equal(capped.status, 403);
  assert.match(capped.body.detail, /api:ci via:m has the role operator/);
  assert.equal((await asks(m.pair, speaking('nobody'))).status, 401);
  for (const [pair, whose] of [
    [other, 'that of the node other'],
    [n.pair, 'that of the node n'],
    [person, 'neither a node’s nor a manager’s'],
  ] as const) {
    const refused = await asks(pair, speaking('viewer'));
    assert.deepEqual([refused.status, refused.body.code], [403, 'forbidden']);
    assert.ok(refused.body.detail.endsWith(`${whose}.`), refused.body.detail);
  }
});

test('a certificate alone gives nobody a role; with a token its token’s', async () => {
  const { ours, m, n } = await opening;
  const person = await ours.issue('caller');
  for (const pair of [m.pair, n.pair, person]) {
    const refused = await asks(pair, {});
    assert.deepEqual([refused.status, refused.body.code], [401, 'unauthenticated']);
    assert.equal((await asks(pair, {}, '/healthz')).status, 200);
  }
  const authorization = `Bearer ${await n.at.token('viewer')}`;
  assert.equal((await asks(person, { authorization })).status, 200);
  assert.equal((await asks(person, { authorization }, '/v1/tokens')).status, 403);
});

test('a foreign authority’s certificate, and none at all, are refused in the handshake', async () => {
  const { ours, theirs, n } = await opening;
  const foreign = await theirs.issue('m', { isManager: true });
  for (const pair of [foreign, undefined])
    await assert.rejects(asks(pair, speaking('admin'), '/healthz'), isHandshakeFailure);
  await assert.rejects(askTls({ url: `${n.at.url}/healthz`, ca: theirs.ca, pair: foreign }), /certificate/);
  assert.equal((await asks(await ours.issue('late'), {}, '/healthz')).status, 200);
});

/** The server ends a TLS 1.3 connection after its own side of the handshake: as an alert, or as a reset. */
function isHandshakeFailure(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /^ERR_SSL_|^ECONNRESET$|^EPIPE$/.test(code);
}

test('where there is a key as well, a manager needs both, and a node that has it is no manager', async () => {
  const { ours, m } = await opening;
  using dir = tempDir('both');
  const file = join(dir.path, 'key');
  writeClusterKey(file);
  const pair = await ours.issue('both', { isNode: true });
  using own = await startEtcd();
  const settings = { node: 'both', etcd: own.urls, 'cluster-key': file, ...ours.settings(pair) };
  await using at = await testAgent({ settings });
  const signed = (manager: string) =>
    signedHeaders(readClusterKey(file), {
      ...{ node: 'both', method: 'GET', target: '/v1/node', manager, body: emptyBodyHash },
      ...{ timeMs: Date.now(), nonce: randomBytes(16).toString('base64url') },
      ...{ actor: 'api:ci', role: 'viewer', meaning: meaningOf({}) },
    });
  const ask = async (by: Pair, headers: Readonly<Record<string, string>>) =>
    (await askTls({ url: `${at.url}/v1/node`, ca: ours.ca, pair: by, headers })).status;
  assert.equal(await ask(m.pair, signed('m')), 200);
  assert.equal(await ask(m.pair, signed('someone')), 401);
  assert.equal(await ask(m.pair, speaking('viewer')), 401);
  assert.equal(await ask(pair, signed('m')), 403);
});

test('an agent does not start with a certificate that is not its own, and says which it needs', async () => {
  const { etcd: store, ours, n } = await opening;
  const wrong = [
    [{ node: 'x' }, n.pair, /not that of the node x: .*pinfold:\/\/node\/x .*pki issue DIR --node x/],
    [{ node: 'n', manager: true }, n.pair, /not that of the manager n: .*pinfold:\/\/manager\/n/],
  ] as const;
  for (const [settings, pair, sentence] of wrong) {
    const given = { etcd: store.urls, ...settings, ...ours.settings(pair) };
    const starting = testAgent({ settings: given }).then((at) => at[Symbol.asyncDispose]());
    await assert.rejects(starting, (error) => error instanceof ConfigError && sentence.test(error.message));
  }
});
