import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { isClientError } from '../../src/client/client-error.ts';
import { openClient, readData } from '../../src/client/pinfold-client.ts';
import { commandLine } from '../support/command-line.ts';
import { tempDir } from '../support/temp-dir.ts';

/** Serves what no agent would, on a socket of its own. */
async function serve(listener: RequestListener): Promise<AsyncDisposable & { readonly socketPath: string }> {
  const dir = tempDir('transport');
  const socketPath = join(dir.path, 's');
  const server = createServer(listener);
  await new Promise<void>((resolve) => void server.listen(socketPath, resolve));
  return {
    socketPath,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => void server.close(resolve));
      dir[Symbol.dispose]();
    },
  };
}

const ndjson = { 'content-type': 'application/x-ndjson' };
const token = {
  name: 't',
  role: 'viewer',
  created_at: '2026-01-01T00:00:00.000Z',
  expires_at: null,
  last_used_at: null,
  created_by: 'x',
};

test('a list whose summary never comes is an error, though lines did come', async () => {
  await using server = await serve((_, response) => {
    response.writeHead(200, ndjson).end(`${JSON.stringify(token)}\n`);
  });
  const ran = await commandLine(['get', 'tokens', '-o', 'name', '--address', server.socketPath]);
  assert.equal(ran.code, 1);
  assert.equal(ran.out, 't\n');
  assert.match(
    ran.err,
    /^pinfold: The list ended before it was complete\.\n {2}What was printed is incomplete/,
  );
});

test('whoever may not open the socket gets exit code 5, and is told what would help', async () => {
  await using server = await serve((_, response) => response.end('{}'));
  process.seteuid?.(65_534);
  try {
    const ran = await commandLine(['get', 'pins', '--address', server.socketPath]);
    assert.equal(ran.code, 5);
    assert.match(ran.err, /^pinfold: This user may not open the socket .*group pinfold.*users: or groups:/s);
  } finally {
    process.seteuid?.(0);
  }
});

test('a list that breaks off in the middle of a line is an error', async () => {
  await using server = await serve((_, response) => {
    response.writeHead(200, ndjson).write('{"name":', () => response.destroy());
  });
  const ran = await commandLine(['get', 'tokens', '--address', server.socketPath]);
  assert.equal(ran.code, 1);
  assert.match(ran.err, /The connection broke before the list was complete/);
});

test('a list is whole when its last line is the summary', async () => {
  await using server = await serve((_, response) => {
    response.writeHead(200, ndjson);
    for (const byte of Buffer.from(`${JSON.stringify({ ...token, name: 'é' })}\n{"summary":{"count":1}}\n`)) {
      response.write(Buffer.of(byte));
    }
    response.end();
  });
  const ran = await commandLine(['get', 'tokens', '-o', 'name', '--address', server.socketPath]);
  assert.deepEqual(ran, { code: 0, out: 'é\n', err: '' });
});

test('a limit follows cursors for exactly as many items, and asks for no page in vain', async () => {
  const asked: string[] = [];
  await using server = await serve((request, response) => {
    const query = new URL(request.url ?? '', 'http://x').searchParams;
    asked.push(`${query.get('limit')} ${query.get('cursor')}`);
    const items = Array.from({ length: Number(query.get('limit')) }, (_, at) => ({
      ...token,
      name: `t${at}`,
    }));
    const page = { items, next_cursor: `c${asked.length}`, observed_at: token.created_at, total: 5000 };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(page));
  });
  const ran = await commandLine([
    'get',
    'tokens',
    '-o',
    'name',
    '--limit',
    '2300',
    '--address',
    server.socketPath,
  ]);
  assert.equal(ran.out.trim().split('\n').length, 2300);
  assert.deepEqual(asked, ['1000 null', '1000 c1', '300 c2']);
});

test('silence ends with exit code 124', async () => {
  await using server = await serve(() => undefined);
  const ran = await commandLine(['get', 'node', '--timeout', '200ms', '--address', server.socketPath]);
  assert.equal(ran.code, 124);
  assert.match(ran.err, /did not answer within 0\.2 s/);
});

test('an answer that is not ours is told from one of an agent', async () => {
  await using server = await serve((_, response) => void response.writeHead(404).end('<h1>nginx</h1>'));
  const ran = await commandLine(['get', 'node', '--address', server.socketPath]);
  assert.equal(ran.code, 1);
  assert.match(ran.err, /The server answered 404 without saying why; is it Pinfold\?/);
});

test('redirects are not followed, because a token would go with them', async () => {
  let requests = 0;
  await using server = await serve((_, response) => {
    requests++;
    response.writeHead(302, { location: '/v1/elsewhere' }).end();
  });
  const ran = await commandLine(['get', 'node', '--address', server.socketPath]);
  assert.equal(ran.code, 1);
  assert.equal(requests, 1);
});

test('a token is sent to a loopback port, and to no other host unencrypted', async () => {
  const seen: (string | undefined)[] = [];
  using dir = tempDir('token');
  const tokenFile = join(dir.path, 'token');
  writeFileSync(tokenFile, 'secret-of-the-test\n', { mode: 0o600 });
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.writeHead(500).end();
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const words = ['get', 'node', '--token-file', tokenFile, '--address'];
  await commandLine([...words, `127.0.0.1:${port}`]);
  assert.deepEqual(seen, ['Bearer secret-of-the-test']);
  const refused = await commandLine([...words, 'http://192.0.2.1:7463']);
  assert.equal(refused.code, 2);
  assert.match(refused.err, /not sent to http:\/\/192\.0\.2\.1:7463 unencrypted/);
  await new Promise((resolve) => void server.close(resolve));
});

test('what keeps an agent from being reached is said, with what to do', async () => {
  const ran = await commandLine(['get', 'pins', '--address', '/nowhere/agent.sock']);
  assert.equal(ran.code, 1);
  assert.match(
    ran.err,
    /^pinfold: No answer from \/nowhere\/agent\.sock: there is no such socket\.\n {2}Is the agent running\?/,
  );
});

test('the address of the environment is used where none is given', async () => {
  const ran = await commandLine(['get', 'pins'], { env: { PINFOLD_ADDRESS: '/nowhere/env.sock' } });
  assert.match(ran.err, /\/nowhere\/env\.sock/);
});

test('a path goes over the wire byte by byte', async () => {
  const urls: (string | undefined)[] = [];
  await using server = await serve((request, response) => {
    urls.push(request.url);
    response.writeHead(500).end();
  });
  const client = openClient({ address: { kind: 'unix', socketPath: server.socketPath }, timeoutMs: 5000 });
  const call = client.api.GET('/v1/pins/{path}', { params: { path: { path: 'a%FF/%0A' } } });
  await assert.rejects(readData(call), (error) => isClientError(error, 'not_pinfold'));
  await client.close();
  assert.deepEqual(urls, ['/v1/pins/a%FF/%0A']);
});

test('words that mean nothing are exit code 2, without a request', async () => {
  for (const words of [
    ['nope'],
    ['get'],
    ['get', 'nope'],
    ['get', 'pins', '-o', 'x'],
    ['unpin', 'a..b'],
    ['unpin', 'a\\q'],
    ['get', 'maps', '--prefix', 'x'],
    ['unpin', 'x', '--accept', 'nope'],
    ['set', 'x'],
    ['get', 'pins', '--timeout', 'x'],
    ['get', 'operations'],
    ['pin', 'x', 'y'],
    ['get', 'pins', '--mount', 'x'],
  ]) {
    const ran = await commandLine([...words, '--address', '/nowhere/agent.sock']);
    assert.equal(ran.code, 2, `${words.join(' ')}: ${ran.err}`);
    assert.equal(ran.out, '');
  }
});

test('help and version are no failures', async () => {
  const { out } = await commandLine(['--help']);
  assert.match(out, /Usage: pinfold/);
  const groups = ['Look', 'Change pins and maps', 'Keep and clean up', 'Say what nodes must have pinned'];
  for (const group of groups) assert.match(out, new RegExp(`^${group}:\\n {2}[a-z]`, 'm'));
  assert.doesNotMatch(out, /^Commands:/m);
  assert.deepEqual(await commandLine(['--version']), { code: 0, out: '9.9.9\n', err: '' });
  assert.equal((await commandLine(['unpin', '--help'])).code, 0);
});

test('help of the agent shows what its options are when nobody says', async () => {
  const { out } = await commandLine(['agent', '--help']);
  for (const value of ['/sys/fs/bpf', '/var/lib/pinfold', '127.0.0.1:7463', '30d', 'info']) {
    assert.ok(out.replace(/\s+/g, ' ').includes(`(default: ${value})`), value);
  }
});

test('a command line that makes no sense is told as ours, with exit code 2', async () => {
  for (const words of [
    ['get', 'pins', '--label', 'a'],
    ['get', 'pins', '--bogus'],
    ['get', 'operations'],
    ['nope'],
  ]) {
    const ran = await commandLine(words);
    assert.equal(ran.code, 2, words.join(' '));
    assert.match(ran.err, /^pinfold: /);
  }
});

test('the agent is given exactly the flags that were typed', async () => {
  const given: unknown[] = [];
  const runAgent = async (flags: unknown): Promise<number> => {
    given.push(flags);
    return 0;
  };
  const words = [
    'agent',
    '--bpffs',
    '/x',
    '--label',
    'a=b',
    '--label',
    'c=d',
    '--read-only',
    '--tls-key',
    'k',
  ];
  assert.equal((await commandLine(words, { runAgent })).code, 0);
  assert.deepEqual(given, [{ bpffs: '/x', label: ['a=b', 'c=d'], 'read-only': true, 'tls-key': 'k' }]);
});

test('an agent that could not start gives its exit code', async () => {
  assert.equal((await commandLine(['agent'], { runAgent: async () => 2 })).code, 2);
});
