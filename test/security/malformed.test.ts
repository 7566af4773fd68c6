import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import test from 'node:test';
import { limits } from '../../src/model/limits.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { sendRaw } from '../support/raw-http.ts';
import { type Random, random, testSeed } from '../support/seed.ts';
import { turn } from '../support/turn.ts';

const seed = testSeed();
const total = 20_000;
const lanes = 16;

/** One malformed request, made anew each time. */
type Recipe = (draw: Random, host: string) => string;

const bytes = (draw: Random, length: number): string => Buffer.from(draw.bytes(length)).toString('latin1');
const post = (head: string, body: string, host: string): string =>
  `POST /v1/batch HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n${head}\r\n${body}`;

const get = (host: string, target: string, head = ''): string =>
  `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${head}\r\n`;

const recipes: Readonly<Record<string, Recipe>> = {
  garbage: (draw) => `${bytes(draw, 1 + draw.int(300))}\r\n\r\n`,
  'garbage target': (draw, host) => `GET /${bytes(draw, 40)} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
  'garbage header': (draw, host) => `GET / HTTP/1.1\r\nHost: ${host}\r\n${bytes(draw, 60)}\r\n\r\n`,
  'no host': () => 'GET /healthz HTTP/1.1\r\n\r\n',
  'two hosts': (_draw, host) => `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nHost: evil\r\n\r\n`,
  'strange version': (draw, host) =>
    `GET /healthz HTTP/${draw.int(10)}.${draw.int(10)}\r\nHost: ${host}\r\n\r\n`,
  'strange method': (draw, host) =>
    get(host, '/v1/pins').replace(
      'GET',
      draw.pick(['BREW', 'CONNECT', 'get', 'PRI', 'TRACE', 'PROPFIND', '']),
    ),
  'length and chunks': (draw, host) =>
    post(
      `Content-Length: ${draw.int(9)}\r\nTransfer-Encoding: chunked\r\n`,
      '0\r\n\r\nGET /v1/tokens HTTP/1.1\r\n\r\n',
      host,
    ),
  'two lengths': (draw, host) =>
    post(`Content-Length: 5\r\nContent-Length: ${6 + draw.int(9)}\r\n`, '{"x":1}', host),
  'negative length': (draw, host) => post(`Content-Length: -${draw.int(99)}\r\n`, '{}', host),
  'length in words': (draw, host) =>
    post(`Content-Length: ${draw.pick(['abc', '0x10', '1e3', '+5', ' ', '5,5'])}\r\n`, '{}', host),
  'odd encodings': (draw, host) =>
    post(
      `Transfer-Encoding: ${draw.pick(['gzip', 'chunked, identity', 'xchunked', 'chunked\x0b'])}\r\n`,
      '0\r\n\r\n',
      host,
    ),
  'bad chunk size': (draw, host) =>
    post(
      'Transfer-Encoding: chunked\r\n',
      `${draw.pick(['z', '-1', 'fffffffffffffffff', '1;', ''])}\r\n{}\r\n0\r\n\r\n`,
      host,
    ),
  'cut chunk': (_draw, host) => post('Transfer-Encoding: chunked\r\n', '5\r\n{}\r\n0\r\n\r\n', host),
  'folded header': (_draw, host) => `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nX: a\r\n b\r\n\r\n`,
  'bare carriage returns': (_draw, host) => `GET /healthz HTTP/1.1\rHost: ${host}\r\r`,
  'space before colon': (_draw, host) => `GET /healthz HTTP/1.1\r\nHost : ${host}\r\n\r\n`,
  'NUL in header': (_draw, host) => `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nX: a\0b\r\n\r\n`,
  'absolute target': (_draw, host) => `GET http://evil.example/healthz HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
  'star target': (_draw, host) => `OPTIONS * HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
  'odd escapes': (draw, host) =>
    get(host, `/v1/pins/${draw.pick(['%', '%z', '%2', '%%', '%u0041', '%c0%af'])}`),
  'broken JSON': (draw, host) => {
    const body = draw.pick([
      '{',
      '[[[[',
      '{"a":}',
      'nul',
      '"\\ud800',
      '{"__proto__":{"x":1}}',
      '{"constructor":{"prototype":{}}}',
    ]);
    return post(`Content-Length: ${Buffer.byteLength(body)}\r\n`, body, host);
  },
  'strange expectation': (_draw, host) => post('Expect: 200-maybe\r\nContent-Length: 2\r\n', '{}', host),
  upgrade: (draw, host) =>
    get(host, '/v1/node', `Connection: Upgrade\r\nUpgrade: ${draw.pick(['websocket', 'h2c'])}\r\n`),
  'HTTP/2 preface': () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
};

test('20,000 malformed requests: no crash, no status from 500 on but 503', async () => {
  await using at = await testAgent();
  const host = new URL(at.url).host;
  const names = Object.keys(recipes);
  const prototype = Object.getOwnPropertyNames(Object.prototype).join();
  const rssBefore = process.memoryUsage.rss();
  const wrong: string[] = [];
  const answered = new Map<string, number>();
  const work = async (lane: number): Promise<void> => {
    const draw = random(seed + lane);
    for (let sent = 0; sent < total / lanes; sent++) {
      const name = draw.pick(names);
      const { statuses, text } = await sendRaw(
        at.url,
        Buffer.from(recipes[name]?.(draw, host) ?? '', 'latin1'),
        60,
      );
      for (const status of statuses) {
        answered.set(name, (answered.get(name) ?? 0) + 1);
        if (status >= 500 && status !== 503) wrong.push(`${name}: ${text}`);
      }
      if (/\bat \/|node_modules|\.ts:\d/.test(text)) wrong.push(`${name} tells of our files: ${text}`);
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, lane) => work(lane)));
  assert.deepEqual(wrong.slice(0, 5), []);
  assert.equal(Object.getOwnPropertyNames(Object.prototype).join(), prototype);
  await at.local.get('/v1/node').expect(200);
  assert.deepEqual(
    at.logs.filter((line) => line.includes('"level":"error"')),
    [],
  );
  assert.ok(answered.size > names.length / 2, 'most sorts were answered, not only cut');
  const growth = (process.memoryUsage.rss() - rssBefore) / 2 ** 20;
  assert.ok(growth < 320, `memory grew by ${growth} MiB`);
});

test('what the parser refuses is a problem document too', async () => {
  await using at = await testAgent();
  const host = new URL(at.url).host;
  const refused: readonly (readonly [string, number, string])[] = [
    ['GARBAGE\r\n\r\n', 400, 'bad_request'],
    ['GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'bad_request'],
    [
      `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nX: ${'x'.repeat(limits.headerBytesMax)}\r\n\r\n`,
      431,
      'headers_too_large',
    ],
    [post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n', host), 400, 'bad_request'],
    [post('Expect: 200-maybe\r\nContent-Length: 2\r\n', '{}', host), 400, 'bad_request'],
    [`CONNECT evil:443 HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 405, 'method_not_allowed'],
  ];
  for (const [bytesSent, status, code] of refused) {
    const answer = await sendRaw(at.url, bytesSent);
    assert.deepEqual(answer.statuses, [status], bytesSent.slice(0, 60));
    assert.match(answer.text, /content-type: application\/problem\+json/i);
    assert.equal(JSON.parse(answer.text.split('\r\n\r\n')[1] ?? '').code, code);
  }
});

test('a smuggled request behind a refused one is not answered', async () => {
  await using at: TestAgent = await testAgent();
  const host = new URL(at.url).host;
  const inner = `GET /healthz HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  for (const head of [
    'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n',
    'Transfer-Encoding: xchunked\r\nContent-Length: 4\r\n',
  ]) {
    const { statuses, isClosed } = await sendRaw(at.url, post(head, `0\r\n\r\n${inner}`, host));
    assert.equal(statuses.includes(200), false, head);
    assert.ok(isClosed, head);
  }
});

test('a connection that asks for a tunnel and is reset harms nobody', async () => {
  await using at = await testAgent();
  const { hostname, port, host } = new URL(at.url);
  const request = `CONNECT evil:443 HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  for (let nth = 0; nth < 100; nth++) {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(request);
    for (let round = 0; round < nth % 4; round++) await turn();
    socket.resetAndDestroy();
  }
  await at.local.get('/v1/node').expect(200);
});
