import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import test, { after, before } from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { assertDeclared, operations } from '../support/answer-check.ts';
import { createMap } from '../support/bpftool.ts';
import { sendRaw } from '../support/raw-http.ts';

let at: TestAgent;
before(async () => {
  at = await testAgent({ settings: { 'allow-host': ['node.example'] } });
});
after(async () => await at[Symbol.asyncDispose]());

/** Where an operation is tried: parameters are filled with something harmless. */
const urlOf = (path: string): string => path.replace(/\{\w+\}/g, '999999999');

type Headers = Readonly<Record<string, string>>;

/**
 * Headers that a rebound name or a page of another site makes a browser send, and what they are refused
 * with.
 */
const attacks: readonly (readonly [string, (host: string) => Headers, string])[] = [
  ['a rebound name', () => ({ host: 'evil.example' }), 'host_not_allowed'],
  [
    'a rebound name with our port',
    (host) => ({ host: `evil.example:${host.split(':')[1]}` }),
    'host_not_allowed',
  ],
  ['a name that begins with ours', () => ({ host: 'localhost.evil.example' }), 'host_not_allowed'],
  ['a name with a user part', () => ({ host: 'localhost@evil.example' }), 'host_not_allowed'],
  ['a foreign origin', (host) => ({ host, origin: 'https://evil.example' }), 'cross_site'],
  ['the origin of a sandbox', (host) => ({ host, origin: 'null' }), 'cross_site'],
  ['another port of this host', (host) => ({ host, origin: 'http://127.0.0.1:1' }), 'cross_site'],
  [
    'an origin with our name before an @',
    (host) => ({ host, origin: `http://${host}@evil.example` }),
    'cross_site',
  ],
  ['a foreign referer', (host) => ({ host, referer: 'https://evil.example/page' }), 'cross_site'],
  ['a cross-site fetch', (host) => ({ host, 'sec-fetch-site': 'cross-site' }), 'cross_site'],
  [
    'a fetch from another port of the site',
    (host) => ({ host, 'sec-fetch-site': 'same-site' }),
    'cross_site',
  ],
];

for (const [what, headersFor, code] of attacks) {
  test(`${what} is refused at every route, with a token and without`, async () => {
    const host = new URL(at.url).host;
    for (const { method, path } of operations) {
      for (const client of [at.remote(), at.remote(null)]) {
        const answer = await client[verbOf(method)](urlOf(path)).set(headersFor(host));
        assert.deepEqual([answer.status, answer.body.code], [403, code], `${method} ${path}`);
        assertDeclared(method, path, answer);
        assert.equal(answer.headers['access-control-allow-origin'], undefined);
      }
    }
  });
}

function verbOf(method: string): 'get' | 'put' | 'post' | 'patch' | 'delete' {
  switch (method) {
    case 'GET':
      return 'get';
    case 'PUT':
      return 'put';
    case 'POST':
      return 'post';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return 'delete';
    default:
      throw new Error(`no test sends ${method}`);
  }
}

test('loopback names, allowed names and our own pages are let in', async () => {
  const { host, port } = new URL(at.url);
  const welcome: readonly Headers[] = [
    { host },
    { host: `localhost:${port}` },
    { host: `LOCALHOST:${port}` },
    { host: `[::1]:${port}` },
    { host: 'node.example' },
    { host: 'Node.Example:443' },
    { host, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' },
    { host, referer: `http://${host}/docs` },
    { host, 'sec-fetch-site': 'none' },
  ];
  for (const headers of welcome) {
    const answer = await at.remote().get('/v1/node').set(headers);
    assert.equal(answer.status, 200, `${JSON.stringify(headers)}: ${answer.text}`);
  }
});

test('a request is for one host, and a whole URL in its first line says which', async () => {
  const { host, port } = new URL(at.url);
  const token = `authorization: Bearer ${at.secret}`;
  const ask = async (target: string, ...headers: readonly string[]) => {
    const head = [`GET ${target} HTTP/1.1`, token, 'connection: close', ...headers];
    return await sendRaw(at.url, `${head.join('\r\n')}\r\n\r\n`, 30_000);
  };
  for (const hosts of [
    [host, 'evil.example'],
    ['evil.example', host],
    [host, host],
  ]) {
    const answer = await ask('/v1/node', ...hosts.map((name) => `Host: ${name}`));
    assert.deepEqual(answer.statuses, [400], hosts.join());
    assert.match(answer.text, /"code":"bad_request"/);
  }
  const targets: readonly (readonly [string, string, number])[] = [
    [`http://evil.example/v1/node`, host, 403],
    [`http://evil.example:${port}/v1/pins/%ff`, host, 403],
    [`http://localhost@evil.example/v1/node`, host, 403],
    [`http://node.example@/v1/node`, host, 403],
    [`http:///v1/node`, host, 403],
    [`http://${host}/v1/node`, 'evil.example', 200],
    [`HTTP://Node.Example/v1/node`, host, 200],
    [`http://${host}/v1/pins/%ff`, host, 404],
    [`http://${host}?x=/v1/node`, host, 404],
  ];
  for (const [target, name, status] of targets) {
    const answer = await ask(target, `Host: ${name}`);
    assert.deepEqual(answer.statuses, [status], `${target} ${answer.text}`);
  }
});

test('there is no CORS: a preflight is refused like anything else', async () => {
  const { host } = new URL(at.url);
  const headers = { host, origin: 'https://evil.example', 'access-control-request-method': 'PUT' };
  const answer = await at.remote(null).options('/v1/pins/x').set(headers);
  assert.equal(answer.status, 403);
  assert.equal(
    Object.keys(answer.headers).some((name) => name.startsWith('access-control-')),
    false,
  );
});

test('a body that a form could send is refused', async () => {
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'text/json',
    'application/json; charset=utf-16',
    'application/json;x=1;Charset="iso-8859-1"',
  ]) {
    const answer = await at.remote().post('/v1/batch').set('content-type', type).send('{"operations":[]}');
    assert.deepEqual([answer.status, answer.body.code], [415, 'unsupported_media_type'], type);
    assertDeclared('POST', '/v1/batch', answer);
  }
});

test('a change that takes no body refuses one, instead of passing over what it asks for', async () => {
  const path = `${at.bpffs.path}/kept`;
  createMap(path, { name: 'pf_no_body' });
  const bare = operations.filter(({ method, hasBody }) => !hasBody && !['GET', 'HEAD'].includes(method));
  assert.ok(bare.some((operation) => operation.path === '/v1/pins/{path}' && operation.method === 'DELETE'));
  for (const { method, path: template } of bare) {
    const target = template.replace('{path}', 'kept').replaceAll(/\{\w+\}/g, '1');
    for (const body of ['{"dry_run":true}', '[]', 'null', '5']) {
      const asked = at.remote()[verbOf(method)](target).set('content-type', 'application/json');
      const answer = await asked.send(body);
      assertDeclared(method, template, answer);
      const pointer = answer.body.errors?.[0]?.pointer;
      assert.deepEqual([answer.status, pointer], [422, '/body'], `${method} ${template} ${body}`);
    }
  }
  assert.ok(existsSync(path));
  await at.remote().delete('/v1/pins/kept?force=true').send({}).expect(204);
});

test('JSON is JSON, however its type is written', async () => {
  for (const type of [
    'application/json;charset=UTF8',
    'Application/JSON; Charset="utf-8"',
    'application/json;',
  ]) {
    const answer = await at.remote().post('/v1/batch').set('content-type', type).send('{"operations":[]}');
    assert.deepEqual([answer.status, answer.body.errors?.[0]?.pointer], [422, '/body/operations'], type);
  }
});

test('a token in the query is not a token', async () => {
  for (const name of ['token', 'access_token', 'apikey']) {
    const answer = await at.remote(null).get(`/v1/node?${name}=${at.secret}`);
    assert.equal(answer.status, 401);
    assert.match(String(answer.headers['www-authenticate']), /^Bearer/);
  }
});
