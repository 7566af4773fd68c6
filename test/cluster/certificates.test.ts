import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { get, type RequestOptions } from 'node:https';
import { join } from 'node:path';
import test from 'node:test';
import supertest from 'supertest';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { commandLine } from '../support/command-line.ts';
import { startEtcd } from '../support/etcd.ts';
import { movedClock } from '../support/moved-clock.ts';
import { askTls, testPki } from '../support/pki.ts';
import { type Child, start } from '../support/process.ts';
import { repoPath } from '../support/repo-root.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

/** The program as this test itself was started: by tsx, or from dist. */
const program = import.meta.filename.endsWith('.ts')
  ? ['--import', 'tsx', repoPath('src', 'main.ts')]
  : [repoPath('dist', 'src', 'main.js')];

const patience = { timeoutMs: 90_000, everyMs: 100 };
const readAnew = 'certificate files were read anew';
const dayMs = 86_400_000;

/** Files that processes were given, in which new texts are put as a tool that renews certificates does. */
function livePlace() {
  const dir = tempDir('live');
  const file = (name: string): string => join(dir.path, name);
  const install = (name: string, text: string): void => {
    writeFileSync(file(`${name}.part`), text, { mode: 0o600 });
    renameSync(file(`${name}.part`), file(name));
  };
  return { file, install, [Symbol.dispose]: () => dir[Symbol.dispose]() };
}

/** An authority made by `pinfold pki`, and what it issues. */
async function authority(directory: string) {
  const pki = async (...words: readonly string[]) => {
    const { code, err } = await commandLine(['pki', ...words]);
    assert.deepEqual([code, err], [0, '']);
  };
  await pki('init', directory);
  const san = ['--san', '127.0.0.1'];
  const wishes = [
    ['--node', 'n'],
    ['--manager', 'm'],
    ['--etcd', 'etcd-1'],
    ['--client', 'root'],
  ];
  for (const wish of wishes) await pki('issue', directory, ...wish, ...san);
  const read = (name: string): string => readFileSync(join(directory, name), 'utf8');
  return { read, ca: read('ca.crt') };
}

/** Everything a stream that was opened once has said since. */
async function openStream(options: RequestOptions): Promise<() => string> {
  const headers = { accept: 'text/event-stream', ...options.headers };
  return await new Promise((resolve, reject) => {
    get({ ...options, headers, agent: false, checkServerIdentity: () => undefined }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      response.on('error', () => undefined);
      resolve(() => text);
    }).on('error', reject);
  });
}

/** The two authorities of a change, and the files that a fleet is given: first with the old one's texts. */
async function changeOfAuthority(live: ReturnType<typeof livePlace>, directory: string) {
  const [old, young] = [await authority(join(directory, 'old')), await authority(join(directory, 'young'))];
  const give = (who: typeof old, name: string, as = name): void => {
    live.install(`${as}.key`, who.read(`${name}.key`));
    live.install(`${as}.crt`, who.read(`${name}.crt`));
  };
  const authorities = (...all: readonly (typeof old)[]): void =>
    live.install('ca.crt', all.map(({ ca }) => ca).join(''));
  const pairOf = (name: string) => ({ cert: live.file(`${name}.crt`), key: live.file(`${name}.key`) });
  for (const name of ['n', 'm', 'etcd-1', 'root']) give(old, name);
  for (const name of ['n', 'm']) give(old, name, `${name}-before`);
  live.install('old-ca.crt', old.ca);
  live.install('etcd-ca.crt', old.ca + young.ca);
  authorities(old);
  const settingsOf = (name: string) => ({
    ...{ node: name, 'etcd-ca': live.file('ca.crt'), 'tls-client-ca': live.file('ca.crt') },
    ...{ 'etcd-cert': pairOf(name).cert, 'etcd-key': pairOf(name).key },
    ...{ 'tls-cert': pairOf(name).cert, 'tls-key': pairOf(name).key },
  });
  return { old, young, give, authorities, pairOf, settingsOf };
}

/** `pinfold manager` in a process of its own, and who asks it over its unix socket. */
async function startManagerProcess(
  runDir: string,
  urls: readonly string[],
  settings: Record<string, string>,
) {
  mkdirSync(runDir);
  const flags = Object.entries({ ...settings, 'run-dir': runDir, listen: '127.0.0.1:0' });
  const words = [...flags, ...urls.map((url) => ['etcd', url] as const)];
  const manager = ['manager', ...words.flatMap(([name, value]) => [`--${name}`, value])];
  const child = start(process.execPath, [...program, ...manager], { cwd: repoPath() });
  try {
    const url = /https:\S+/.exec(await child.line(/API +http/, 60_000))?.[0] ?? '';
    const asked = supertest.agent(`http+unix://${encodeURIComponent(join(runDir, 'manager.sock'))}`);
    return { child, url, asked, [Symbol.dispose]: () => child[Symbol.dispose]() };
  } catch (error) {
    child[Symbol.dispose]();
    throw error;
  }
}

/** Waits until a pin of the node is seen through the manager. */
async function isHeard(asked: supertest.Agent, path: string): Promise<void> {
  await until(
    `${path} to be seen through the manager`,
    async () => (await asked.get('/v1/cluster/pins?node=n')).body,
    ({ complete, items = [] }) => complete === true && items.some((pin: object) => isAt(pin, path)),
    patience,
  );
}

/** A wish goes by the manager through etcd to the node, and what came of it back. */
async function isCarriedOut(asked: supertest.Agent, name: string): Promise<void> {
  const spec = { all: true, mode: 'observe', absent: ['nothing'] };
  await until(
    'a wish to be written through the manager',
    async () => (await asked.put(`/v1/cluster/pinsets/${name}`).send(spec)).status,
    (status) => status === 200 || status === 201,
    patience,
  );
  await until(
    'the node to have read it and to have said so',
    async () => (await asked.get(`/v1/cluster/pinsets/${name}/status`)).body.nodes,
    (nodes) => nodes?.ok === 1,
    patience,
  );
}

/** Changes files and has both read them anew: the agent finds out by itself, the manager is told. */
async function renew(n: TestAgent, m: Child, change: () => void): Promise<void> {
  const told = () => [count(n.logs.join(''), readAnew), count(m.stderr(), readAnew)];
  const before = told();
  change();
  await until(
    'both to have read anew what they show callers and etcd',
    () => {
      m.kill('SIGHUP');
      return told();
    },
    (now) => now.every((lines, at) => lines >= (before[at] ?? 0) + 2),
    { timeoutMs: 90_000, everyMs: 500 },
  );
}

test('a fleet goes from one authority to another, etcd too, and no process and no stream ends', async () => {
  using live = livePlace();
  using dir = tempDir('authorities');
  const change = await changeOfAuthority(live, dir.path);
  const { old, young, give, authorities, pairOf, settingsOf } = change;
  const etcdTls = { ca: live.file('etcd-ca.crt'), member: pairOf('etcd-1'), root: pairOf('root') };
  using etcd = await startEtcd(1, [], etcdTls);
  await using n = await testAgent({ settings: { etcd: etcd.urls, ...settingsOf('n') } });
  using m = await startManagerProcess(join(dir.path, 'run'), etcd.urls, settingsOf('m'));
  const { asked } = m;
  createMap(`${n.bpffs.path}/before`, { name: 'pf_certs' });
  await isHeard(asked, 'before');
  const { body: made } = await asked
    .post('/v1/cluster/tokens')
    .send({ name: 'ci', role: 'viewer' })
    .expect(201);
  const open = async (url: string, path: string, token: string) => {
    const shown = { ca: old.ca, cert: old.read('n.crt'), key: old.read('n.key') };
    const headers = { authorization: `Bearer ${token}` };
    return await openStream({ ...target(url, path), ...shown, headers });
  };
  const near = await open(n.url, '/v1/events', await n.token('viewer'));
  const far = await open(m.url, '/v1/cluster/nodes/n/api/v1/events', made.token);

  await renew(n, m.child, () => authorities(old, young));
  await renew(n, m.child, () => {
    for (const name of ['n', 'm']) give(young, name);
  });
  await renew(n, m.child, () => authorities(young));
  // From here on etcd knows nobody whom the old authority vouches for.
  for (const name of ['etcd-1', 'root']) give(young, name);
  live.install('etcd-ca.crt', young.ca);
  etcd.restart(0);

  createMap(`${n.bpffs.path}/after`, { name: 'pf_certs' });
  await isHeard(asked, 'after');
  await isCarriedOut(asked, 'late');
  for (const [what, text] of [
    ['a stream of the node', near],
    ['a stream of the node through the manager', far],
  ] as const)
    await until(`${what} to go on`, text, (said) => said.includes('"after"'), patience);
  assert.equal(m.child.ended(), undefined);
  const ask = async (ca: string, pair: string) =>
    (await askTls({ url: `${n.url}/healthz`, ca: live.file(ca), pair: pairOf(pair) })).status;
  assert.equal(await ask('ca.crt', 'm'), 200);
  await assert.rejects(ask('ca.crt', 'm-before'), 'the old authority vouches for nobody');
  await assert.rejects(ask('old-ca.crt', 'm'), /certificate/);
});

function target(url: string, path: string) {
  const { hostname, port } = new URL(url);
  return { hostname, port, path };
}

function isAt(pin: object, path: string): boolean {
  return 'path' in pin && pin.path === path;
}

function count(text: string, words: string): number {
  return text.split(words).length - 1;
}

/** What a metric of the listener's certificate says. */
async function metricOf(at: TestAgent, name: string): Promise<number> {
  const { text } = await at.local.get('/metrics').expect(200);
  return Number(new RegExp(`^pinfold_certificate_${name}\\{use="listen"\\} (\\S+)$`, 'm').exec(text)?.[1]);
}

/** When a certificate ends, as openssl reads it. */
function endOf(file: string): number {
  const line = execFileSync('openssl', ['x509', '-in', file, '-noout', '-enddate'], { encoding: 'utf8' });
  return Date.parse(line.replace('notAfter=', '')) / 1000;
}

test('files that cannot be used are told once and counted, and the former certificate stays', async () => {
  using live = livePlace();
  using pki = await testPki();
  const clock = movedClock();
  const [own, other] = [await pki.issue('n', { isNode: true }), await pki.issue('x', { isNode: true })];
  const install = (cert: string, key: string): void => {
    live.install('n.key', key);
    live.install('n.crt', cert);
  };
  const read = (file: string): string => readFileSync(file, 'utf8');
  const [cert, key] = [read(own.cert), read(own.key)];
  install(cert, key);
  copyFileSync(pki.ca, live.file('ca.crt'));
  using etcd = await startEtcd();
  const files = pki.settings({ cert: live.file('n.crt'), key: live.file('n.key') });
  const settings = { node: 'n', etcd: etcd.urls, ...files, 'tls-client-ca': live.file('ca.crt') };
  await using at = await testAgent({ settings, clock });
  const metric = async (name: string): Promise<number> => await metricOf(at, name);
  const isShown = async () =>
    assert.equal((await askTls({ url: `${at.url}/healthz`, ca: pki.ca, pair: own })).status, 200);
  assert.deepEqual(
    [await metric('refused'), await metric('not_after_timestamp_seconds')],
    [0, endOf(own.cert)],
  );
  const wrong: readonly (readonly [string, () => void, RegExp])[] = [
    ['no certificate', () => install('none\n', key), /do not go together \(.*PEM/i],
    ['a key of another', () => install(cert, read(other.key)), /do not go together \(.*key values mismatch/],
    ['another node’s', () => install(read(other.cert), read(other.key)), /is not that of the node n/],
    ['no file', () => rmSync(live.file('n.crt')), /n\.crt cannot be read \(ENOENT\)/],
    ['no authority', () => live.install('ca.crt', 'none\n'), /holds no certificates that can be read/],
  ];
  for (const [what, change, why] of wrong) {
    install(cert, key);
    copyFileSync(pki.ca, live.file('ca.crt'));
    at.running.reload();
    assert.equal(await metric('refused'), 0, what);
    const before = at.logs.length;
    change();
    for (let times = 0; times < 3; times += 1) at.running.reload();
    const told = at.logs.slice(before).filter((line) => line.includes('are not taken'));
    assert.equal(told.length, 1, what);
    assert.match(told[0] ?? '', why, what);
    assert.equal(await metric('refused'), 1, what);
    assert.equal(await metric('not_after_timestamp_seconds'), endOf(own.cert), what);
    await isShown();
  }
  await pki.issue('n', { isNode: true, isRenewal: true, days: 3 });
  copyFileSync(pki.ca, live.file('ca.crt'));
  clock.setBy(30 * dayMs);
  install(read(own.cert), read(own.key));
  at.running.reload();
  assert.match(at.logs.filter((line) => line.includes('are not taken')).at(-1) ?? '', /has ended on/);
  clock.setBy(-60 * dayMs);
  at.running.reload();
  assert.match(at.logs.filter((line) => line.includes('are not taken')).at(-1) ?? '', /is good from .* on/);
  assert.equal(await metric('refused'), 1);
  clock.setBy(30 * dayMs);
  at.running.reload();
  assert.deepEqual(
    [await metric('refused'), await metric('not_after_timestamp_seconds')],
    [0, endOf(own.cert)],
  );
  await isShown();
});
