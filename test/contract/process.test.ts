import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import supertest from 'supertest';
import { limits } from '../../src/model/limits.ts';
import { type Bpffs, mountBpffs } from '../support/bpffs.ts';
import { createMap } from '../support/bpftool.ts';
import { askTls, testPki } from '../support/pki.ts';
import { type Child, start } from '../support/process.ts';
import { repoPath } from '../support/repo-root.ts';
import { tempDir } from '../support/temp-dir.ts';

interface Place extends Disposable {
  readonly bpffs: Bpffs;
  readonly dir: string;
  /** The admin token, once an agent has been started. */
  secret(): string;
  /** Starts `pinfold agent` in a process of its own, from sources or from what is built; `by` a command. */
  agent(options?: readonly string[], env?: Readonly<Record<string, string>>, by?: readonly string[]): Child;
}

/** The program as this test itself was started: by tsx, or from dist. */
const program = import.meta.filename.endsWith('.ts')
  ? ['--import', 'tsx', repoPath('src', 'main.ts')]
  : [repoPath('dist', 'src', 'main.js')];

function place(): Place {
  const bpffs = mountBpffs();
  const dir = tempDir('process');
  const own = [
    '--bpffs',
    bpffs.path,
    '--state-dir',
    join(dir.path, 'state'),
    '--run-dir',
    join(dir.path, 'run'),
  ];
  return {
    bpffs,
    dir: dir.path,
    secret: () => readFileSync(join(dir.path, 'state', 'admin.token'), 'utf8').trim(),
    agent: (options = ['--listen', '127.0.0.1:0'], env = {}, by = []) => {
      const [command = '', ...words] = [...by, process.execPath, ...program, 'agent', ...own, ...options];
      return start(command, words, { env, cwd: repoPath() });
    },
    [Symbol.dispose]: () => {
      bpffs[Symbol.dispose]();
      dir[Symbol.dispose]();
    },
  };
}

/** The URL that the start-up message tells. */
async function urlOf(agent: Child): Promise<string> {
  const line = await agent.line(/API +http/, 30_000);
  return /https?:\S+/.exec(line)?.[0] ?? '';
}

test('an agent says where it is and what it sees, and stops within its time', async () => {
  using at = place();
  createMap(`${at.bpffs.path}/m`, { name: 'pf_start' });
  using agent = at.agent();
  const url = await urlOf(agent);
  await agent.line(/token/);
  assert.match(
    agent.lines[0] ?? '',
    /^Pinfold \d+\.\d+\.\d+ on \S+ sees [\d,]+ pins? on [\d,]+ mounts? and [\d,]+ objects?\.$/,
  );
  const tokenFile = join(at.dir, 'state', 'admin.token');
  assert.ok(agent.lines.some((line) => line.includes(tokenFile)));
  assert.deepEqual(
    [statSync(tokenFile).mode & 0o777, statSync(join(at.dir, 'run')).mode & 0o777],
    [0o600, 0o700],
  );
  assert.equal(statSync(join(at.dir, 'run', 'agent.sock')).mode & 0o777, 0o660);
  const secret = at.secret();
  assert.equal(agent.lines.join().includes(secret), false, 'standard output is no terminal here');
  const { body } = await supertest(url).get('/v1/pins').auth(secret, { type: 'bearer' }).expect(200);
  assert.equal(body.total, 1);

  const began = performance.now();
  agent.kill('SIGTERM');
  assert.deepEqual(await agent.exit(), { code: 0, signal: null });
  assert.ok(performance.now() - began < limits.shutdownMs);
  assert.doesNotMatch(agent.stderr(), /fleet|manager|rollout/);
});

test('where the kernel tells no types, what iterators would count is absent, and why is said', async () => {
  using at = place();
  const { id } = createMap(`${at.bpffs.path}/m`, { name: 'pf_untold' });
  const script = 'mount -t tmpfs pf-nothing /sys/kernel/btf && exec "$@"';
  const by = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh'];
  using agent = at.agent(undefined, {}, by);
  await urlOf(agent);
  const local = supertest.agent(`http+unix://${encodeURIComponent(join(at.dir, 'run', 'agent.sock'))}`);
  const get = async (path: string) => (await local.get(path).expect(200)).body;
  const reason = /^\/sys\/kernel\/btf\/vmlinux cannot be read \(ENOENT\)/;
  const { features } = await get('/v1/node');
  for (const name of ['map_counters', 'program_counters', 'link_counters', 'task_file_iterator']) {
    const feature = features.find((each: { name: string }) => each.name === name);
    assert.equal(feature.available, false, name);
    assert.match(feature.reason, reason);
  }
  const { references } = await get(`/v1/maps/${id}`);
  assert.match(references.unavailable, reason);
  const why = await get(`/v1/maps/${id}/why`);
  for (const told of [references, why.references])
    for (const name of ['refcnt', 'usercnt', 'writecnt', 'unexplained']) assert.ok(!(name in told), name);
  assert.equal(why.unexplained, undefined);
  assert.ok(why.unavailable.some((each: { reason: string }) => reason.test(each.reason)));
  // Whatever else may hold it, nobody counts.
  const [{ hazards, freed, perhaps_freed }] = why.if_unpinned;
  assert.deepEqual([hazards, freed], [['last_reference'], []]);
  assert.deepEqual(
    perhaps_freed.map((each: { id: number }) => each.id),
    [id],
  );
  await get('/v1/findings?fresh=true');
  const rules: readonly { readonly rule: string; readonly unavailable?: string }[] = (
    await get('/v1/findings/rules')
  ).items;
  const untried = rules.flatMap(({ rule, unavailable = '' }) => (reason.test(unavailable) ? rule : []));
  for (const rule of ['orphan_pin', 'hidden_holder', 'map_near_full', 'single_process', 'orphan_circle'])
    assert.ok(untried.includes(rule), rule);
  const { text } = await local.get('/metrics').expect(200);
  for (const name of [
    'references{kind="map",holder="file"',
    'unexplained_references{',
    'findings{rule="orphan_pin"',
  ])
    assert.equal(text.includes(`pinfold_${name}`), false, name);
});

test('a slow request keeps a stopping agent no longer than its limit', async () => {
  using at = place();
  using agent = at.agent();
  const url = new URL(await urlOf(agent));
  const slow = connect(Number(url.port), url.hostname);
  slow.on('error', () => undefined);
  const { secret } = at;
  const head = [
    'POST /v1/batch HTTP/1.1',
    'Host: localhost',
    `Authorization: Bearer ${secret()}`,
    'Content-Length: 99',
  ];
  slow.write(`${[...head, 'Content-Type: application/json', 'Expect: 100-continue'].join('\r\n')}\r\n\r\n`);
  const [told] = await once(slow, 'data');
  assert.match(String(told), /^HTTP\/1\.1 100 Continue/, 'it is being answered, and waits for its body');
  const began = performance.now();
  agent.kill('SIGINT');
  assert.deepEqual(await agent.exit(), { code: 0, signal: null });
  assert.ok(performance.now() - began < limits.shutdownMs + 500);
  slow.destroy();
});

test('a token outlives restarts, and a lost file gets a new one', async () => {
  using at = place();
  const secretOf = async (): Promise<string> => {
    using agent = at.agent(['--listen', 'none']);
    await agent.line(/token/, 30_000);
    agent.kill('SIGTERM');
    await agent.exit();
    return readFileSync(join(at.dir, 'state', 'admin.token'), 'utf8');
  };
  const first = await secretOf();
  assert.equal(await secretOf(), first);
  execFileSync('rm', [join(at.dir, 'state', 'admin.token')]);
  assert.notEqual(await secretOf(), first);
});

const failures: readonly (readonly [string, (at: Place) => Child, RegExp, number])[] = [
  ['an option nobody knows', (at) => at.agent(['--nonsense']), /nonsense/, 2],
  [
    'an address that others reach, without TLS',
    (at) => at.agent(['--listen', '0.0.0.0:0']),
    /not a loopback address/,
    1,
  ],
  ['a path without a bpffs', (at) => at.agent(['--bpffs', '/tmp']), /No bpffs is mounted at \/tmp/, 1],
  ['a path that is not there', (at) => at.agent(['--bpffs', '/none']), /There is no directory \/none/, 1],
  ['a directory nobody can make', (at) => at.agent(['--run-dir', '/proc/x']), /\/proc\/x cannot be made/, 1],
  [
    'a configuration file that is not there',
    (at) => at.agent(['--config', '/none.yaml']),
    /\/none\.yaml does not exist/,
    1,
  ],
  [
    'a configuration file that is not YAML',
    (at) => {
      writeFileSync(join(at.dir, 'c.yaml'), 'node: n\nlabel: [a\nlisten: none\n');
      return at.agent(['--config', join(at.dir, 'c.yaml')]);
    },
    /c\.yaml is not YAML: .* at line 3, column 1\.\n$/,
    2,
  ],
  [
    'an alias of nothing in the configuration file',
    (at) => {
      writeFileSync(join(at.dir, 'c.yaml'), 'node: *none\n');
      return at.agent(['--config', join(at.dir, 'c.yaml')]);
    },
    /c\.yaml is not YAML: .*alias.*none\.\n$/,
    2,
  ],
  [
    'a configuration file that gives roles and that others can write',
    (at) => {
      const file = join(at.dir, 'c.yaml');
      writeFileSync(file, 'users:\n  nobody: viewer\n');
      chmodSync(file, 0o666);
      return at.agent(['--config', file]);
    },
    /chmod go-w/,
    2,
  ],
  [
    'a user that is not there',
    (at) => {
      writeFileSync(join(at.dir, 'c.yaml'), 'users:\n  nobody-of-this-name: viewer\n');
      return at.agent(['--config', join(at.dir, 'c.yaml')]);
    },
    /There is no user "nobody-of-this-name"/,
    2,
  ],
  [
    'no root',
    (at) =>
      start(
        'setpriv',
        [
          '--reuid=65534',
          '--clear-groups',
          process.execPath,
          ...program,
          'agent',
          '--bpffs',
          at.bpffs.path,
          '--state-dir',
          '/none',
          '--run-dir',
          '/none',
        ],
        { cwd: repoPath() },
      ),
    /run it as root/,
    1,
  ],
];

for (const [what, run, sentence, code] of failures) {
  test(`with ${what} the agent ends with one sentence that says what to do`, async () => {
    using at = place();
    using agent = run(at);
    assert.deepEqual(await agent.exit(30_000), { code, signal: null }, agent.stderr());
    assert.match(agent.stderr(), sentence);
    assert.equal(/^ +at /m.test(agent.stderr()), false, agent.stderr());
  });
}

test('an agent that gives up while its threads still load ends as any other', async () => {
  using at = place();
  const file = join(at.dir, 'c.yaml');
  writeFileSync(file, 'users:\n  nobody-of-this-name: viewer\n');
  for (let nth = 0; nth < 6; nth++) {
    using agent = at.agent(['--config', file]);
    assert.deepEqual(await agent.exit(30_000), { code: 2, signal: null }, agent.stderr());
  }
});

test('a port in use, and a state directory in use, are said in a sentence', async () => {
  using at = place();
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  using taken = at.agent(['--listen', `127.0.0.1:${port}`]);
  assert.equal((await taken.exit(30_000)).code, 1);
  assert.match(taken.stderr(), new RegExp(`127\\.0\\.0\\.1:${port} already`));
  server.close();
  using first = at.agent();
  await urlOf(first);
  using second = at.agent();
  assert.equal((await second.exit(30_000)).code, 1);
  assert.match(second.stderr(), /Another Pinfold agent is using/);
});

test('--mount-bpffs mounts one where nothing is, and says so', async () => {
  using at = place();
  const bare = join(at.dir, 'bare');
  mkdirSync(bare);
  using agent = at.agent(['--bpffs', bare, '--mount-bpffs', '--listen', 'none']);
  try {
    await agent.line(/token/, 30_000);
    assert.equal(execFileSync('stat', ['-f', '-c', '%T', bare], { encoding: 'utf8' }).trim(), 'bpf_fs');
    assert.match(agent.stderr(), /mounted a bpffs/);
    agent.kill('SIGTERM');
    await agent.exit();
  } finally {
    execFileSync('umount', ['-l', bare]);
  }
});

test('settings come from the environment and from a file, in this order', async () => {
  using at = place();
  const file = join(at.dir, 'config.yaml');
  writeFileSync(file, 'node: from-file\nlabel: {zone: a}\nread-only: true\n');
  using agent = at.agent(['--listen', '127.0.0.1:0'], { PINFOLD_CONFIG: file, PINFOLD_LABEL: 'zone=b' });
  const url = await urlOf(agent);
  await agent.line(/token/);
  const { body: node } = await supertest(url)
    .get('/v1/node')
    .auth(at.secret(), { type: 'bearer' })
    .expect(200);
  assert.deepEqual([node.name, node.labels, node.read_only], ['from-file', { zone: 'b' }, true]);
});

test('a socket that a service manager has opened is served, and the manager is told', async () => {
  using at = place();
  const socket = join(at.dir, 'activated.sock');
  const notices = join(at.dir, 'notices.sock');
  const receive = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print('bound', flush=True)
while True: print(s.recv(4096).decode().replace('\\n', ' '), flush=True)`;
  const activate = `import os, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()
os.dup2(s.fileno(), 3); os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')
os.environ.update(WATCHDOG_USEC='200000', NOTIFY_SOCKET=sys.argv[2])
os.execvp(sys.argv[3], sys.argv[3:])`;
  using manager = start('python3', ['-c', receive, notices]);
  await manager.line(/bound/);
  const own = [
    '--bpffs',
    at.bpffs.path,
    '--state-dir',
    join(at.dir, 'state'),
    '--run-dir',
    join(at.dir, 'run'),
  ];
  const words = [process.execPath, ...program, 'agent', ...own];
  using agent = start('python3', ['-c', activate, socket, notices, ...words], { cwd: repoPath() });
  await manager.line(/^READY=1 STATUS=Sees \d+ pins/, 30_000);
  assert.ok(
    agent.lines.some((line) => line.includes('unix:(descriptor 3)')),
    agent.lines.join(),
  );
  assert.equal(
    agent.lines.some((line) => line.includes('http://')),
    false,
    'no listener of its own is opened',
  );
  await supertest(`http+unix://${encodeURIComponent(socket)}`)
    .get('/v1/node')
    .expect(200);
  await manager.line(/^WATCHDOG=1/);
  agent.kill('SIGTERM');
  await manager.line(/^STOPPING=1/);
  assert.deepEqual(await agent.exit(), { code: 0, signal: null });
});

/** Binds a TCP socket to an address and runs a command with it as descriptor 3, as systemd does. */
const withTcpSocket = `import os, socket, sys
s = socket.socket(); s.bind((sys.argv[1], 0)); s.listen()
os.dup2(s.fileno(), 3); os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')
os.execvp(sys.argv[2], sys.argv[2:])`;

test('a TCP socket of a service manager is refused, and has TLS, as one of our own', async () => {
  using at = place();
  using pki = await testPki();
  const pair = await pki.issue('server', { hosts: ['127.0.0.1'] });
  const agent = (address: string, ...more: readonly string[]): Child => {
    const dirs = ['--state-dir', join(at.dir, 'state'), '--run-dir', join(at.dir, 'run')];
    const words = [...program, 'agent', '--bpffs', at.bpffs.path, ...dirs, ...more];
    const all = ['-c', withTcpSocket, address, process.execPath, ...words];
    return start('python3', all, { cwd: repoPath() });
  };
  using open = agent('0.0.0.0');
  assert.deepEqual(await open.exit(), { code: 1, signal: null });
  assert.match(open.stderr(), /0\.0\.0\.0 is not a loopback address: give --tls-cert and --tls-key/);
  using near = agent('127.0.0.1');
  await supertest(await urlOf(near))
    .get('/healthz')
    .expect(200);
  near.kill('SIGTERM');
  await near.exit();
  using safe = agent('0.0.0.0', '--tls-cert', pair.cert, '--tls-key', pair.key);
  const url = await urlOf(safe);
  assert.match(url, /^https:/);
  const where = url.replace('0.0.0.0', '127.0.0.1');
  assert.equal((await askTls({ url: `${where}/healthz`, ca: pki.ca })).status, 200);
  safe.kill('SIGTERM');
  await safe.exit();
});
