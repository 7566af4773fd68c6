import assert from 'node:assert/strict';
import { chmodSync, chownSync, copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import supertest from 'supertest';
import { managerGreeting } from '../../src/api/greeting.ts';
import { writeClusterKey } from '../../src/cluster/signing/key-file.ts';
import { testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';
import { testManager } from '../support/manager.ts';
import { start } from '../support/process.ts';
import { repoPath } from '../support/repo-root.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

const dir = tempDir('manager-alone');
const key = join(dir.path, 'key');
writeClusterKey(key);
let etcd: TestEtcd | undefined;
const opening = open();
const patience = { timeoutMs: 60_000, everyMs: 50 };

async function open() {
  etcd = await startEtcd();
  const settings = { etcd: etcd.urls, 'cluster-key': key };
  const node = await testAgent({ settings: { ...settings, node: 'a' } });
  createMap(`${node.bpffs.path}/one`, { name: 'pf_one' });
  await node.local.get('/v1/pins?fresh=true').expect(200);
  return { settings, node };
}

after(async () => {
  const world = await opening.catch(() => undefined);
  await world?.node[Symbol.asyncDispose]();
  etcd?.[Symbol.dispose]();
  dir[Symbol.dispose]();
});

/** How `bin/pinfold` is run here: as built, or the sources on a machine where nothing is built. */
const program = import.meta.filename.endsWith('.ts')
  ? ['--import', 'tsx', repoPath('src', 'main.ts')]
  : [repoPath('dist', 'src', 'main.js')];

test('a manager by itself serves the fleet and itself, and has none of the routes of a node', async () => {
  const { settings } = await opening;
  await using manager = await testManager(settings);
  const { body } = await until(
    'the node to be there',
    async () => await manager.local.get('/v1/cluster/pins').expect(200),
    (answer) => answer.body.items.length === 1 && answer.body.complete,
    patience,
  );
  assert.deepEqual([body.items[0].node, body.items[0].path], ['a', 'one']);
  await manager.local.get('/v1/cluster/nodes/a/api/v1/pins/one').expect(200);
  await manager.remote(null).get('/healthz').expect(200, { status: 'ok' });
  await manager.remote(null).get('/readyz').expect(200);
  await manager.remote(null).get('/metrics').expect(401);
  const { text } = await manager.local.get('/metrics').expect(200);
  assert.match(text, /^pinfold_build_info\{version=".+"\} 1$/m);
  assert.match(text, /^process_resident_memory_bytes \d+$/m);
  const { body: described } = await manager.remote(null).get('/openapi.json').expect(200);
  const paths = Object.keys(described.paths);
  assert.deepEqual(
    paths.filter((path) => !/^\/(v1\/cluster\/|healthz$|readyz$|metrics$)/.test(path)),
    [],
  );
  for (const path of ['/v1/pins', '/v1/node', '/v1/tokens', '/v1/backup'])
    assert.equal((await manager.local.get(path).expect(404)).body.code, 'not_found');
});

test('a manager whose etcd is away is alive, says why it is not ready, and is once it can', async () => {
  using own = await startEtcd();
  own.members[0]?.kill();
  await own.members[0]?.exit();
  await using manager = await testManager({ etcd: own.urls, 'cluster-key': key });
  await manager.remote(null).get('/healthz').expect(200);
  const { body } = await manager.remote(null).get('/readyz').expect(503);
  assert.equal(body.code, 'not_ready');
  assert.match(body.detail, /etcd cannot be reached/);
  own.restart(0);
  await until(
    'it to be ready',
    async () => (await manager.remote(null).get('/readyz')).status,
    (status) => status === 200,
    patience,
  );
});

test('a manager runs as anybody, says in sentences what it lacks, and ends with 0 when told', async () => {
  const { settings } = await opening;
  using home = tempDir('manager-user');
  chmodSync(home.path, 0o711);
  const ownKey = join(home.path, 'key');
  copyFileSync(key, ownKey);
  chmodSync(ownKey, 0o600);
  const runDir = join(home.path, 'run');
  mkdirSync(runDir);
  const nobody = 65_534;
  for (const file of [ownKey, runDir]) chownSync(file, nobody, nobody);
  const etcdWords = settings.etcd.flatMap((url) => ['--etcd', url]);
  const places = ['--run-dir', runDir, '--listen', '127.0.0.1:0', '--node', 'm2'];
  const run = (...words: readonly string[]) => {
    // Nothing but reading our own sources, wherever they lie.
    const caps = ['inh', 'ambient', 'bounding'].map((set) =>
      set === 'bounding' ? '--bounding-set=-all,+dac_read_search' : `--${set}-caps=-all,+dac_read_search`,
    );
    const as = [`--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', ...caps, process.execPath];
    return start('setpriv', [...as, ...program, 'manager', ...words], { env: { HOME: home.path } });
  };
  using manager = run(...etcdWords, ...places, '--cluster-key', ownKey);
  await manager.line(/^Pinfold \S+ manages a fleet as m2 and /, 60_000);
  const local = supertest.agent(`http+unix://${encodeURIComponent(join(runDir, 'manager.sock'))}`);
  await until(
    'it to know the node',
    async () => (await local.get('/v1/cluster/nodes')).body.items,
    (items) => items?.length === 1,
    patience,
  );
  manager.kill('SIGTERM');
  assert.deepEqual(await manager.exit(30_000), { code: 0, signal: null });
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /^pinfold: A manager by itself serves the fleet that meets in an etcd: name it with --etcd URL\.$/m],
    [etcdWords, /has nothing to be known by.*--cluster-key FILE/s],
    [[...etcdWords, '--cluster-key', join(home.path, 'none')], /cannot be read \(ENOENT\)/],
    [['--bpffs', '/sys/fs/bpf'], /unknown option '--bpffs'/],
  ];
  for (const [words, sentence] of wrong) {
    using refused = run(...words);
    assert.equal((await refused.exit(60_000)).code, 2);
    assert.match(refused.stderr(), sentence);
  }
});

test('a manager says how many nodes it knows, or why it does not, and where it answers', () => {
  const greeting = {
    version: '1.0.0',
    name: 'm',
    addresses: ['unix:/run/m.sock', 'http://[::1]:7'],
    nodes: 1,
  };
  const places = '  API    unix:/run/m.sock\n  API    http://[::1]:7\n  docs   http://[::1]:7/docs\n';
  assert.equal(
    managerGreeting({ ...greeting, trouble: undefined }),
    `Pinfold 1.0.0 manages a fleet as m and knows 1 node.\n${places}`,
  );
  assert.equal(
    managerGreeting({ ...greeting, trouble: 'etcd cannot be reached.' }),
    `Pinfold 1.0.0 manages a fleet as m and does not know its nodes: etcd cannot be reached.\n${places}`,
  );
});
