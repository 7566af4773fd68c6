import assert from 'node:assert/strict';
import test from 'node:test';
import { Webhook } from 'standardwebhooks';
import { limits } from '../../src/model/limits.ts';
import { type Answer, answering, firstArrivals, startReceiver, unusedPort } from '../support/receiver.ts';
import { databaseOf, sqlite3 } from '../support/store.ts';
import { until, untilPasses } from '../support/until.ts';
import { byTest, handClock, type WebhookBench, webhookBench } from '../support/webhooks.ts';

/** So many events that are told apart by their numbers only. */
const several = (count: number) => Array.from({ length: count }, () => ({}));

/** Gives a webhook and its first secret. */
function put(bench: WebhookBench, url: string, more: object = {}): string {
  const { webhook } = bench.webhooks.put('hook', { url, ...more }, byTest);
  return webhook.secret ?? '';
}

test('the library of Standard Webhooks verifies every message, with each of several secrets', async () => {
  await using receiver = await startReceiver();
  await using bench = webhookBench();
  const first = put(bench, receiver.url);
  bench.append(...several(3));
  await until('three', () => receiver.received.length === 3);
  const second = bench.webhooks.addSecret('hook', undefined, byTest).secret ?? '';
  const given = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
  assert.equal(bench.webhooks.addSecret('hook', given, byTest).secret, null);
  bench.append(...several(2));
  await until('five', () => receiver.received.length === 5);
  const verifies = (secret: string, nth: number, body?: string): boolean => {
    const { headers, body: arrived } = receiver.received[nth] ?? assert.fail('nothing there');
    const flat = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
    try {
      new Webhook(secret).verify(body ?? arrived, flat);
      return true;
    } catch {
      return false;
    }
  };
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((nth) => [first, second, given].map((secret) => verifies(secret, nth))),
    [...several(3).map(() => [true, false, false]), ...several(2).map(() => [true, true, true])],
  );
  assert.equal(verifies(first, 0, `${receiver.received[0]?.body} `), false);
  const ids = receiver.received.map(({ headers }) => headers['webhook-id']);
  assert.equal(new Set(ids).size, 5);
  const [{ id } = assert.fail()] = bench.webhooks.get('hook').secrets;
  bench.webhooks.removeSecret('hook', id, byTest);
  bench.append({});
  await until('six', () => receiver.received.length === 6);
  assert.deepEqual([verifies(first, 5), verifies(second, 5)], [false, true]);
});

test('what is sent is a CloudEvent 1.0 with the document of the event in it', async () => {
  await using receiver = await startReceiver();
  await using bench = webhookBench();
  put(bench, `${receiver.url}?of=mine`);
  bench.append(
    { subject: { path: 'a/b é', kind: 'map', id: 5 }, time: '2026-11-23T10:00:00.123Z' },
    { subject: {} },
  );
  await until('both', () => receiver.received.length === 2);
  const [{ method, url, headers, body } = assert.fail(), bare = assert.fail()] = receiver.received;
  assert.deepEqual(
    [method, url, headers['content-type']],
    ['POST', '/hook?of=mine', 'application/cloudevents+json'],
  );
  const { data, ...attributes } = JSON.parse(body);
  assert.deepEqual(attributes, {
    specversion: '1.0',
    id: 'b3c1:1',
    type: 'pinfold.pin.created',
    time: '2026-11-23T10:00:00.123Z',
    subject: 'pins/a/b%20%C3%A9',
    source: 'urn:pinfold:node-1:b3c1',
    datacontenttype: 'application/json',
    sequence: '0000000000000001',
  });
  assert.equal(headers['webhook-id'], attributes.id);
  assert.deepEqual(data, bench.store.events.list({ limit: 1 })[0]);
  assert.equal('subject' in JSON.parse(bare.body), false);
});

test('down for a minute, answering 500, cut off and too slow: all events arrive, in order', async () => {
  const clock = handClock();
  const port = await unusedPort();
  await using bench = webhookBench({ clock });
  put(bench, `http://127.0.0.1:${port}/`);
  bench.append(...several(5));
  const goOn = async (isDone: () => boolean, stepMs = 20_000): Promise<void> => {
    const pass = (): boolean => {
      clock.pass(stepMs);
      bench.webhooks.wake();
      return isDone();
    };
    await until('the events', pass, Boolean, { timeoutMs: 30_000, everyMs: 5 });
  };
  const upAt = clock.monotonicMs() + 60_000;
  await goOn(() => clock.monotonicMs() >= upAt, 500);
  const { failures, last_error: error, state, backlog } = bench.webhooks.get('hook');
  assert.ok(failures >= 4 && failures <= 8, `${failures} attempts in a minute`);
  assert.deepEqual([error?.includes('ECONNREFUSED'), state, backlog], [true, 'active', 5]);
  const troubles: readonly Answer[] = [
    ...several(3).map(() => answering(500)),
    (response) => response.destroy(),
    (response) => void response.socket?.write('HTTP/1.1 20', () => response.destroy()),
    () => undefined,
    (response) =>
      void response.writeHead(200, { 'content-length': '10' }).write('1', () => response.destroy()),
    answering(404),
    answering(303, { location: '/elsewhere' }),
  ];
  const answer: Answer = (response, one, nth) => (troubles[nth] ?? answering(200))(response, one, nth);
  await using receiver = await startReceiver({ port, answer });
  await goOn(() => firstArrivals(receiver.received).length === 5);
  bench.append(...several(20));
  await goOn(() => bench.webhooks.get('hook').backlog === 0);
  const seqs = receiver.received.map(({ seq }) => seq ?? 0);
  assert.deepEqual(
    firstArrivals(receiver.received),
    several(25).map((_, index) => index + 1),
  );
  assert.deepEqual(
    seqs,
    [...seqs].sort((a, b) => a - b),
    'none comes before one that was not accepted',
  );
  assert.equal(seqs.length, 25 + troubles.length - 1, 'a head that says 200 is enough');
  assert.equal(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size, 25);
  assert.equal(
    receiver.received.some(({ url }) => url === '/elsewhere'),
    false,
  );
});

test('clocks of the day that jump ten years change neither the next attempt nor the order', async () => {
  const clock = handClock();
  await using receiver = await startReceiver({
    answer: (...all) => answering(all[2] < 3 ? 503 : 200)(...all),
  });
  await using bench = webhookBench({ clock });
  put(bench, receiver.url);
  bench.append({}, {});
  const years = 10 * 365 * 24 * 3600 * 1000;
  for (const attempts of [1, 2, 3]) {
    await until('an attempt', () => receiver.received.length === attempts);
    const waitMs = await until('a pause', () => bench.webhooks.get('hook').retry_in_ms, Boolean);
    assert.equal(waitMs, 750 * 2 ** (attempts - 1));
    for (let jump = 0; jump < 10; jump++) {
      clock.jump(jump % 2 === 0 ? years : -years);
      bench.webhooks.wake();
      assert.equal(bench.webhooks.get('hook').retry_in_ms, waitMs);
    }
    clock.jump(attempts % 2 === 0 ? years : -years);
    clock.pass(Number(waitMs) - 1);
    bench.webhooks.wake();
    // An answer to a ping is later than anything that was due when it was asked for.
    await using bystander = await startReceiver();
    bench.webhooks.put('bystander', { url: bystander.url }, byTest);
    await bench.webhooks.ping('bystander');
    assert.equal(receiver.received.length, attempts, 'a millisecond before its time nothing is tried');
    bench.webhooks.remove('bystander', byTest);
    clock.pass(1);
    bench.webhooks.wake();
  }
  await until('all', () => bench.webhooks.get('hook').backlog === 0);
  assert.deepEqual(
    receiver.received.map(({ seq }) => seq),
    [1, 1, 1, 1, 2],
  );
});

test('Retry-After is waited out, in seconds or by the receiver’s clock, up to an hour', async () => {
  const clock = handClock();
  const asked: readonly Record<string, string>[] = [
    { 'retry-after': '90' },
    { 'retry-after': 'Mon, 23 Nov 2026 10:02:00 GMT', date: 'Mon, 23 Nov 2026 10:00:00 GMT' },
    { 'retry-after': '999999' },
    { 'retry-after': 'soon' },
  ];
  const answer: Answer = (response, one, nth) => answering(429, asked[nth])(response, one, nth);
  await using receiver = await startReceiver({ answer });
  await using bench = webhookBench({ clock });
  put(bench, receiver.url);
  bench.append({});
  const waits: number[] = [];
  for (const attempts of [1, 2, 3, 4]) {
    const seen = () => bench.webhooks.get('hook');
    const { retry_in_ms: waitMs } = await until('an attempt', seen, ({ failures }) => failures === attempts);
    waits.push(waitMs ?? 0);
    clock.pass(waitMs ?? 0);
    bench.webhooks.wake();
  }
  assert.deepEqual(waits, [90_000, 120_000, limits.webhookRetryAfterMaxMs, 6000]);
});

test('a receiver that answers 410 is sent nothing more, which the webhook and an event say', async () => {
  let isGone = true;
  await using receiver = await startReceiver({ answer: (...all) => answering(isGone ? 410 : 200)(...all) });
  await using watcher = await startReceiver();
  await using bench = webhookBench();
  put(bench, receiver.url);
  bench.webhooks.put('watcher', { url: watcher.url, types: ['webhook.*'] }, byTest);
  bench.append({}, {});
  await until('the end', () => bench.webhooks.get('hook').state === 'disabled');
  assert.match(bench.webhooks.get('hook').state_reason ?? '', /410/);
  await until('it is told', () => watcher.received.length === 1);
  assert.equal(watcher.received[0]?.type, 'pinfold.webhook.disabled');
  const { subject, actor } = JSON.parse(watcher.received[0]?.body ?? '').data;
  assert.deepEqual([subject, actor], [{ name: 'hook' }, 'webhook:hook']);
  bench.append({});
  assert.equal((await bench.webhooks.ping('hook')).status, 410);
  assert.equal(receiver.received.filter(({ seq }) => seq !== undefined).length, 1);
  isGone = false;
  await using back = await bench.restart();
  assert.equal(back.webhooks.get('hook').state, 'disabled');
  back.webhooks.setState('hook', { state: 'active', reason: null }, byTest);
  await until('the rest', () => back.webhooks.get('hook').backlog === 0);
  assert.deepEqual(firstArrivals(receiver.received), [1, 2, 3, 4]);
});

test('events that are not kept any more are told as a gap, in their place', async () => {
  await using receiver = await startReceiver();
  await using bench = webhookBench();
  put(bench, receiver.url, { types: ['pin.removed'] });
  bench.webhooks.setState('hook', { state: 'paused', reason: 'for the test' }, byTest);
  bench.append(...several(10), { type: 'pin.removed' });
  bench.store.events.prune(7, 1000);
  bench.webhooks.setState('hook', { state: 'active', reason: null }, byTest);
  await until('both', () => receiver.received.length === 2);
  assert.deepEqual(
    receiver.received.map(({ type }) => type),
    ['pinfold.gap', 'pinfold.pin.removed'],
  );
  assert.deepEqual(JSON.parse(receiver.received[0]?.body ?? '').data, { after: 0, next: 8 });
  bench.webhooks.replay('hook', 3, byTest);
  bench.store.events.prune(11, 1000);
  await until(
    'the last gap',
    () => receiver.received.length >= 3 && bench.webhooks.get('hook').backlog === 0,
  );
  assert.deepEqual(JSON.parse(receiver.received.at(-1)?.body ?? '').data, { after: 3, next: 12 });
});

test('only wanted types below the prefix are sent; a rename counts on both sides', async () => {
  await using receiver = await startReceiver();
  await using bench = webhookBench();
  put(bench, receiver.url, { types: ['pin.*', 'claim.granted'].slice(0, 1), prefix: 'tc/globals' });
  const at = (path: string) => ({ subject: { path } });
  bench.append(
    ...[at('tc/globals'), at('tc/globals/x'), at('tc/globals2'), at('tc'), { subject: {} }],
    { ...at('elsewhere'), type: 'pin.renamed', before: { path: 'tc/globals/x' } },
    { ...at('tc/globals/y'), type: 'object.gone' },
    {
      subject: {
        path: 'tc/globals/\ufffd',
        path_bytes: Buffer.from('tc/globals/\xff', 'latin1').toString('base64'),
      },
    },
  );
  await until('all', () => bench.webhooks.get('hook').backlog === 0);
  assert.deepEqual(firstArrivals(receiver.received), [1, 2, 6, 8]);
});

test('one request at a time to each receiver, and no more than the limit to all', async () => {
  const waiting: (() => void)[] = [];
  const answer: Answer = (...all) => void waiting.push(() => answering(200)(...all));
  await using receiver = await startReceiver({ answer });
  await using bench = webhookBench();
  const count = limits.webhookSendsMax + 4;
  for (let nth = 0; nth < count; nth++) bench.webhooks.put(`hook-${nth}`, { url: receiver.url }, byTest);
  bench.append({}, {});
  await until('as many as may', () => waiting.length === limits.webhookSendsMax);
  const goOn = (): boolean => {
    for (const answerIt of waiting.splice(0)) answerIt();
    return bench.webhooks.list().every(({ backlog }) => backlog === 0);
  };
  await until('all', goOn);
  assert.equal(receiver.inFlightMost(), limits.webhookSendsMax);
  assert.equal(receiver.received.length, 2 * count);
});

test('secrets, pings that wait and names that are looked up have their limits', async () => {
  const load = { now: 0, most: 0 };
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const resolve = async () => {
    load.most = Math.max(load.most, ++load.now);
    await held;
    load.now--;
    return ['127.0.0.1'];
  };
  await using receiver = await startReceiver();
  await using bench = webhookBench({ resolve });
  const url = receiver.url.replace('127.0.0.1', 'hooks.example');
  const names = Array.from({ length: limits.webhookLookupsMax + 2 }, (_, nth) => `hook-${nth}`);
  for (const name of names) bench.webhooks.put(name, { url }, byTest);
  const pings = names.map((name) => bench.webhooks.ping(name));
  await until('as many as may', () => load.most === limits.webhookLookupsMax);
  const more = Array.from({ length: limits.webhookErrandsMax }, () => bench.webhooks.ping('hook-0'));
  await assert.rejects(bench.webhooks.ping('hook-0'), { code: 'too_many_requests' });
  release();
  const states = (await Promise.all([...pings, ...more])).map(({ state }) => state);
  assert.deepEqual([...new Set(states), load.most], ['delivered', limits.webhookLookupsMax]);
  for (let nth = 1; nth < limits.webhookSecretsMax; nth++)
    bench.webhooks.addSecret('hook-0', undefined, byTest);
  assert.throws(() => bench.webhooks.addSecret('hook-0', undefined, byTest), { code: 'too_many_requests' });
  const tooLong = `${url}?${'x'.repeat(limits.webhookUrlCharsMax - url.length)}`;
  bench.webhooks.put('hook-0', { url: tooLong.slice(0, -1) }, byTest);
  assert.throws(() => bench.webhooks.put('hook-0', { url: tooLong }, byTest), { code: 'invalid_input' });
});

test('what is under way when the agent stops is broken off, and sent again when it is back', async () => {
  let hangs = true;
  const answer: Answer = (...all) => (hangs ? undefined : answering(200)(...all));
  await using receiver = await startReceiver({ answer });
  await using bench = webhookBench();
  put(bench, receiver.url);
  bench.append({}, {});
  await until('it hangs', () => receiver.received.length === 1);
  const began = performance.now();
  hangs = false;
  await using back = await bench.restart();
  assert.ok(performance.now() - began < limits.webhookTimeoutMs, 'nobody waits for it');
  await until('all', () => back.webhooks.get('hook').backlog === 0);
  assert.deepEqual(
    receiver.received.map(({ seq }) => seq),
    [1, 1, 2],
  );
});

test('an answer without end costs a bounded piece of it, and is a success by its head', async () => {
  let given = 0;
  const answer: Answer = (response) => {
    response.writeHead(200);
    const more = (): void => {
      while (!response.destroyed && given < 2 ** 30) {
        given += 65_536;
        if (!response.write(Buffer.alloc(65_536))) return void response.once('drain', more);
      }
    };
    more();
  };
  await using receiver = await startReceiver({ answer });
  await using bench = webhookBench();
  put(bench, receiver.url);
  bench.append({}, {});
  await until('both', () => bench.webhooks.get('hook').backlog === 0);
  assert.ok(given < 64 * 1024 * 1024, `${given} bytes were taken`);
  assert.deepEqual(bench.failures, []);
});

test('deliveries can be looked at, repeated under their id, and replayed from an event on', async () => {
  await using receiver = await startReceiver({
    answer: (...all) => answering(all[2] === 0 ? 500 : 200)(...all),
  });
  const clock = handClock();
  await using bench = webhookBench({ clock });
  put(bench, receiver.url);
  bench.append(...several(3));
  await untilPasses(() => {
    clock.pass(1000);
    bench.webhooks.wake();
    assert.equal(bench.webhooks.get('hook').backlog, 0);
  });
  const [last, , first] = bench.webhooks.deliveries('hook');
  assert.deepEqual([first?.seq, first?.attempts, first?.state, first?.status], [1, 2, 'delivered', 200]);
  assert.deepEqual([last?.seq, last?.attempts], [3, 1]);
  const again = await bench.webhooks.repeat('hook', first?.id ?? 0);
  assert.deepEqual([again.seq, again.state, again.message_id], [1, 'delivered', first?.message_id]);
  assert.notEqual(again.id, first?.id);
  bench.webhooks.replay('hook', 1, byTest);
  await until('the rest', () => bench.webhooks.get('hook').backlog === 0);
  assert.deepEqual(
    receiver.received.map(({ seq }) => seq),
    [1, 1, 2, 3, 1, 2, 3],
  );
  await assert.rejects(bench.webhooks.repeat('hook', 999), { code: 'delivery_not_found' });
  assert.throws(() => bench.webhooks.replay('hook', 4, byTest), { code: 'invalid_input' });
  bench.store.events.prune(1, 10);
  await assert.rejects(bench.webhooks.repeat('hook', first?.id ?? 0), { code: 'delivery_not_found' });
});

test('of what was sent the last thousand deliveries are kept, or little more', async () => {
  await using bench = webhookBench();
  put(bench, 'http://127.0.0.1:9999/');
  const { webhooks } = bench.store;
  const at = '2026-11-23T10:00:00.000Z';
  const delivery = { webhook: 'hook', message: 'm', kind: 'ping', seq: null, type: 'pinfold.ping' } as const;
  const how = { state: 'failed', attempts: 1, firstAt: at, lastAt: at, durationMs: 1, status: null } as const;
  for (let nth = 0; nth < limits.webhookDeliveriesMax + 150; nth++)
    webhooks.record({ ...delivery, ...how, error: String(nth) });
  const kept = bench.webhooks.deliveries('hook').map(({ error }) => error);
  assert.deepEqual([kept.length, kept[0], kept.at(-1)], [limits.webhookDeliveriesMax, '1149', '150']);
  const rows = sqlite3(databaseOf(bench.stateDir), 'SELECT count(*) FROM webhook_delivery');
  assert.equal(rows, String(limits.webhookDeliveriesMax + 50));
});
