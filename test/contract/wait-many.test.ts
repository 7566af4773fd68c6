import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import test from 'node:test';
import { limits } from '../../src/model/limits.ts';
import { testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { processorMs } from '../support/processor-time.ts';
import { until } from '../support/until.ts';

/** One client that waits for a path over a connection of its own, and when its answer came. */
interface WaitingClient extends Disposable {
  readonly socket: Socket;
  answer: string;
  answeredAt: number | undefined;
}

async function client(socketPath: string, path: string): Promise<WaitingClient> {
  const socket = connect(socketPath).setEncoding('utf8');
  await once(socket, 'connect');
  const waiting: WaitingClient = {
    socket,
    answer: '',
    answeredAt: undefined,
    [Symbol.dispose]: () => void socket.destroy(),
  };
  socket.on('data', (chunk: string) => {
    waiting.answer += chunk;
    if (waiting.answer.endsWith('}')) waiting.answeredAt = performance.now();
  });
  socket.write(`GET /v1/pins/${path}?for=exists&wait=5m HTTP/1.1\r\nhost: a\r\n\r\n`);
  return waiting;
}

test('2,000 who wait for one path are answered soon, and leave nothing behind', async (t) => {
  await using at = await testAgent();
  const { id } = createMap(`${at.bpffs.path}/source`, { name: 'pf_many' });
  const clients: WaitingClient[] = [];
  for (let count = 0; count < limits.waitersMax; count += 1) clients.push(await client(at.socket, 'wanted'));
  const full = async () => (await at.local.get('/v1/pins/other?for=exists&wait=1ms')).status;
  await until('all of them wait', full, (status) => status === 429);
  const { heapUsed: heapBefore } = process.memoryUsage();
  const began = performance.now();
  const before = processorMs();
  await at.local
    .put('/v1/pins/wanted')
    .send({ source: { kind: 'map', id } })
    .expect(201);
  const isAnswered = (): boolean => clients.every(({ answeredAt }) => answeredAt !== undefined);
  await until('all answers', isAnswered, Boolean, { everyMs: 5 });
  const took = processorMs() - before;
  const last = Math.max(...clients.map(({ answeredAt = 0 }) => answeredAt - began));
  t.diagnostic(`last of ${clients.length} answers after ${last.toFixed(0)} ms`);
  t.diagnostic(`${took.toFixed(0)} ms of processor time, both sides`);
  for (const { answer } of clients) {
    assert.match(answer, /^HTTP\/1\.1 200 /);
    assert.match(answer, new RegExp(`"met":true,"pin":\\{.*"id":${id},`));
  }
  assert.ok(took < 1000, 'an answer takes some 0.1 ms, a reading for each would take more');
  const { heapUsed } = process.memoryUsage();
  assert.ok(heapUsed - heapBefore < 64 * 1024 ** 2, `${heapUsed - heapBefore} bytes more`);
  for (const each of clients) each[Symbol.dispose]();
  assert.equal(await full(), 200);
});
