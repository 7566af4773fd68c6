import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import test from 'node:test';
import { isPinfoldError } from '../../src/model/error.ts';
import { answering, startReceiver } from '../support/receiver.ts';
import { until } from '../support/until.ts';
import { byTest, webhookBench } from '../support/webhooks.ts';
import { hostileUrls, resolveHostile } from './webhook-urls-fixture.ts';

/** Every socket that Node's own net module opens to somewhere, as it reports them itself. */
function watchSockets(): Disposable & { readonly opened: Socket[] } {
  const opened: Socket[] = [];
  const note = (message: unknown): void => void opened.push((message as { socket: Socket }).socket);
  subscribe('net.client.socket', note);
  return { opened, [Symbol.dispose]: () => void unsubscribe('net.client.socket', note) };
}

for (const allowed of [[], ['127.0.0.2/32']]) {
  test(`no hostile URL opens a connection where ${allowed[0] ?? 'nothing'} is allowed`, async () => {
    await using four = await startReceiver();
    await using six = await startReceiver({ host: '::1', port: four.port });
    const urls = hostileUrls(four.port);
    assert.ok(urls.length >= 200, `${urls.length} URLs`);
    using sockets = watchSockets();
    await using bench = webhookBench({ allowed, resolve: resolveHostile });
    const outcomes = { refused: 0, blocked: 0 };
    for (const url of urls) {
      try {
        bench.webhooks.put('hook', { url }, byTest);
      } catch (error) {
        assert.ok(isPinfoldError(error, 'invalid_input'), `${url}: ${error}`);
        outcomes.refused++;
        continue;
      }
      const { state, status, error } = await bench.webhooks.ping('hook');
      assert.deepEqual([state, status], ['failed', null], url);
      assert.match(error ?? '', / is (?!.*undefined)|has no address/, url);
      outcomes.blocked++;
      bench.webhooks.remove('hook', byTest);
    }
    assert.ok(outcomes.refused > 100 && outcomes.blocked > 15, JSON.stringify(outcomes));
    assert.deepEqual([sockets.opened.length, four.connections(), six.connections()], [0, 0, 0]);
  });
}

test('a redirect is not followed, wherever it leads', async () => {
  await using secret = await startReceiver();
  const places = [
    secret.url,
    `http://127.0.0.1:${secret.port}/`,
    'http://169.254.169.254/latest/meta-data/',
    '//127.0.0.1/',
    'file:///etc/passwd',
  ];
  using sockets = watchSockets();
  for (const status of [300, 301, 302, 303, 307, 308]) {
    for (const location of places) {
      await using receiver = await startReceiver({
        host: '127.0.0.2',
        answer: answering(status, { location }),
      });
      await using bench = webhookBench({ allowed: ['127.0.0.2/32'] });
      bench.webhooks.put('hook', { url: receiver.url }, byTest);
      const delivery = await bench.webhooks.ping('hook');
      assert.deepEqual([delivery.state, delivery.status], ['failed', status]);
      assert.equal(receiver.received.length, 1);
    }
  }
  assert.equal(secret.connections(), 0);
  assert.equal(sockets.opened.length, 30);
});

test('a name that leads elsewhere when it is asked for again leads only where it was checked', async () => {
  await using secret = await startReceiver();
  await using receiver = await startReceiver({ host: '127.0.0.2', port: secret.port });
  const asked: string[] = [];
  const resolve = async (host: string) => {
    asked.push(host);
    return asked.length % 2 === 1 ? ['127.0.0.2'] : ['127.0.0.1'];
  };
  await using bench = webhookBench({ allowed: ['127.0.0.2/32'], resolve });
  bench.webhooks.put('hook', { url: `http://rebinding.example:${secret.port}/` }, byTest);
  const first = await bench.webhooks.ping('hook');
  assert.deepEqual([first.state, asked.length], ['delivered', 1], 'asked once for one connection');
  assert.equal(receiver.received[0]?.headers.host, `rebinding.example:${secret.port}`);
  for (let round = 0; round < 20; round++) {
    bench.webhooks.addSecret('hook', undefined, byTest);
    const { secrets } = bench.webhooks.get('hook');
    bench.webhooks.removeSecret('hook', secrets[0]?.id ?? '', byTest);
    const { state, error } = await bench.webhooks.ping('hook');
    if (state === 'failed') assert.match(error ?? '', /^127\.0\.0\.1 is of this machine/);
  }
  assert.equal(asked.length, 21, 'a new connection asks anew');
  assert.deepEqual([secret.connections(), receiver.received.length], [0, 11]);
});

test('a name with one address out of reach is refused as a whole, in whatever order they come', async () => {
  await using receiver = await startReceiver({ host: '127.0.0.2' });
  const places = [['127.0.0.2', '10.0.0.1'], ['::1', '127.0.0.2'], ['127.0.0.2', '::ffff:127.0.0.1'], []];
  let nth = 0;
  const resolve = async () => places[nth++] ?? [];
  await using bench = webhookBench({ allowed: ['127.0.0.2/32'], resolve });
  bench.webhooks.put('hook', { url: `http://some.example:${receiver.port}/` }, byTest);
  for (const _ of places) {
    const { state, status } = await bench.webhooks.ping('hook');
    assert.deepEqual([state, status], ['failed', null]);
  }
  assert.equal(receiver.connections(), 0);
});

test('what the configuration allows no longer is not sent to, and said', async () => {
  await using receiver = await startReceiver();
  await using bench = webhookBench();
  bench.webhooks.put('hook', { url: receiver.url }, byTest);
  bench.append({});
  await until('it arrives', () => receiver.received.length === 1);
  await bench.webhooks.stop();
  await using strict = webhookBench({ allowed: [] });
  strict.store.webhooks.put(bench.store.webhooks.find('hook') ?? assert.fail());
  await using later = await strict.restart();
  later.append(...[{}, {}]);
  const seen = () => later.webhooks.get('hook').last_error ?? '';
  assert.match(await until('it is said', seen, Boolean), /not encrypted/);
  assert.equal(receiver.connections(), 1);
});
