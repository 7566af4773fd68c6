import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import test, { mock } from 'node:test';
import { limits } from '../../src/model/limits.ts';
import { testAgent } from '../support/agent.ts';
import { until } from '../support/until.ts';

/** Whether a connection has been closed, and what came before. */
function listenTo(socket: Socket): { text: string; isClosed: boolean } {
  const heard = { text: '', isClosed: false };
  socket.setEncoding('latin1').on('data', (text: string) => {
    heard.text += text;
  });
  socket
    .on('error', () => undefined)
    .on('close', () => {
      heard.isClosed = true;
    });
  return heard;
}

test('a head that is sent byte by byte is cut off with 408 when its time is over', async () => {
  await using at = await testAgent();
  const { hostname, port } = new URL(at.url);
  const socket = connect(Number(port), hostname);
  const heard = listenTo(socket);
  await once(socket, 'connect');
  const began = performance.now();
  socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ');
  const dripping = setInterval(() => socket.write('a'), 200);
  try {
    await until('the connection is closed', () => heard.isClosed, Boolean, { timeoutMs: 60_000 });
  } finally {
    clearInterval(dripping);
  }
  const tookMs = performance.now() - began;
  socket.destroy();
  assert.match(heard.text, /^HTTP\/1\.1 408 .*"code":"request_timeout"/s);
  assert.ok(tookMs >= limits.headersTimeoutMs - 1000, `it had ${tookMs} ms`);
  await at.local.get('/healthz').expect(200);
});

test('as many connections may be open as the limit says; one more is closed, and counted', async () => {
  await using at = await testAgent();
  const sockets: Socket[] = [];
  const open = async (): Promise<ReturnType<typeof listenTo>> => {
    const socket = connect(at.socket);
    sockets.push(socket);
    const heard = listenTo(socket);
    await once(socket, 'connect');
    return heard;
  };
  try {
    const all: ReturnType<typeof listenTo>[] = [];
    for (let index = 0; index < limits.connectionsMax; index++) all.push(await open());
    sockets[0]?.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    const last = all.length - 1;
    sockets[last]?.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    for (const index of [0, last]) {
      await until(
        'an answer',
        () => all[index]?.text ?? '',
        (text) => text.startsWith('HTTP/1.1 200'),
      );
    }
    const over = await open();
    await until('the one too many to be closed', () => over.isClosed, Boolean);
    assert.equal(over.text, '');
    assert.ok(all.every(({ isClosed }) => !isClosed));
    const metrics = await at.remote().get('/metrics').expect(200);
    assert.match(metrics.text, /^pinfold_limit_hits_total\{limit="connections"\} 1$/m);
    sockets[0]?.destroy();
    await until(
      'a place to be free',
      async () => {
        const again = await open();
        sockets.at(-1)?.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
        return await until(
          'an answer or the end',
          () => again,
          ({ text, isClosed }) => isClosed || text !== '',
        );
      },
      ({ text }) => text.startsWith('HTTP/1.1 200'),
    );
  } finally {
    for (const socket of sockets) socket.destroy();
  }
});

test('who asks for a fresh observation waits no longer than a request may, then it is 503', async () => {
  await using at = await testAgent();
  let ask = (): void => undefined;
  const isAsked = new Promise<void>((resolve) => {
    ask = resolve;
  });
  const refresh = mock.method(at.agent.reads, 'refresh', () => {
    ask();
    return new Promise<void>(() => undefined);
  });
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    let status: number | undefined;
    const answer = fetch(`${at.url}/v1/mounts?fresh=true`, {
      headers: { authorization: `Bearer ${at.secret}` },
    }).then(async (got) => {
      status = got.status;
      return await got.json();
    });
    await isAsked;
    mock.timers.tick(limits.handlerTimeoutMs - 1);
    await fetch(`${at.url}/healthz`);
    assert.equal(status, undefined, 'it is still waiting');
    mock.timers.tick(1);
    const body = Object(await answer);
    assert.deepEqual([status, body.code], [503, 'overloaded']);
  } finally {
    mock.timers.reset();
    refresh.mock.restore();
  }
});
