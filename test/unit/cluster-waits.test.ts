import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import test from 'node:test';
import { getHeapStatistics } from 'node:v8';
import { heapTools } from '../../src/agent/observer/heap.ts';
import { parseAddress } from '../../src/client/address.ts';
import { pause } from '../../src/cluster/backoff.ts';
import { NodeCaller } from '../../src/cluster/node-call.ts';
import { newClusterKey } from '../../src/cluster/signing/key-file.ts';
import { realClock } from '../support/observed.ts';
import { until } from '../support/until.ts';

test('a wait that another signal ends leaves nothing behind at one that lives on', async () => {
  const { collect } = heapTools(realClock);
  const living = new AbortController();
  /** The bytes that are still in use once so many waits are over. */
  const usedAfter = async (times: number): Promise<number> => {
    for (let at = 0; at < times; at += 1) {
      const woken = new AbortController();
      setImmediate(() => woken.abort());
      await pause(60_000, living.signal, woken.signal);
    }
    await collect();
    return getHeapStatistics().used_heap_size;
  };
  const before = await usedAfter(30_000);
  const grown = (await usedAfter(30_000)) - before;
  assert.ok(grown < 512 * 1024, `${grown} bytes`);
});

test('a node that is forgotten loses the connections that were kept for it', async () => {
  const server = createServer((_, response) => response.end('{}'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const caller = new NodeCaller({ manager: 'm', key: newClusterKey(), isKeyShared: true, clock: realClock });
  const open = async (): Promise<number> =>
    await new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
  try {
    const node = { name: 'a', address: parseAddress(`http://127.0.0.1:${port}`) ?? assert.fail() };
    const request = {
      method: 'GET',
      target: '/v1/node',
      caller: { actor: 'uid:0', role: 'viewer' },
    } as const;
    const { body } = await caller.call(node, { ...request, signal: new AbortController().signal });
    await body.toArray();
    assert.equal(await open(), 1);
    await caller.forget('b');
    assert.equal(await open(), 1);
    await caller.forget('a');
    await until('its connection to end', open, (count) => count === 0, { timeoutMs: 3000, everyMs: 10 });
  } finally {
    await caller.close();
    server.closeAllConnections();
    server.close();
  }
});
