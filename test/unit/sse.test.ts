import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { StreamSlots } from '../../src/api/ndjson.ts';
import { EventFollowers } from '../../src/api/sse.ts';
import { limits } from '../../src/model/limits.ts';
import type { NewEvent } from '../../src/model/schema/event.ts';
import { openTestStore } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

function thickEvent(number: number): NewEvent {
  const after = { number, text: 'x'.repeat(2000) };
  return {
    time: '2026-11-23T10:00:00.000Z',
    type: 'node.started',
    subject: {},
    before: null,
    after,
    actor: 'kernel',
  };
}

test('a reader that is slow falls behind in the log, not in memory, and misses nothing', async () => {
  using dir = tempDir('sse');
  const store = openTestStore(dir.path);
  const listeners: (() => void)[] = [];
  const followers = new EventFollowers({
    events: store.events,
    slots: new StreamSlots(),
    onEvents: (listener) => void listeners.push(listener),
  });
  const stream = followers.open({ query: {}, afterSeq: undefined });
  stream.read();
  const count = 2000;
  for (let number = 0; number < count; number += 100) {
    store.events.append(Array.from({ length: 100 }, (_, index) => thickEvent(number + index)));
    for (const listener of listeners) listener();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const pageBytes = limits.streamEventsMax * 2400;
  assert.ok(stream.readableLength <= limits.streamChunkBytes + pageBytes, String(stream.readableLength));
  const seen: number[] = [];
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    for (const [, id] of chunk.matchAll(/^id: (\d+)$/gm)) seen.push(Number(id));
  });
  await until('all of them', () => seen.length >= count);
  assert.deepEqual(
    seen,
    Array.from({ length: count }, (_, index) => index + 1),
  );
  stream.destroy();
  store.close();
});

/** Rounds of the event loop, in which a stream has read what there is. */
async function someRounds(): Promise<void> {
  for (let round = 0; round < 5; round += 1) await new Promise((resolve) => setImmediate(resolve));
}

test('a stream without events shows that it is alive, and where in history it is', async () => {
  using dir = tempDir('sse');
  const store = openTestStore(dir.path);
  store.events.append([thickEvent(1)]);
  mock.timers.enable({ apis: ['setInterval'] });
  try {
    const followers = new EventFollowers({
      events: store.events,
      slots: new StreamSlots(),
      onEvents: () => undefined,
    });
    const stream = followers.open({ query: { types: ['pin.created'] }, afterSeq: 0 });
    let text = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    await someRounds();
    mock.timers.tick(limits.streamHeartbeatMs - 1);
    assert.equal(text, 'retry: 1000\n\n');
    mock.timers.tick(1);
    await someRounds();
    assert.equal(text, 'retry: 1000\n\n: alive\nid: 1\n\n');
    stream.destroy();
  } finally {
    mock.timers.reset();
    store.close();
  }
});

test('a reader that takes nothing for a minute is cut off, and its slot is free', async () => {
  using dir = tempDir('sse');
  const store = openTestStore(dir.path);
  store.events.append(Array.from({ length: 200 }, (_, index) => thickEvent(index)));
  const slots = new StreamSlots();
  mock.timers.enable({ apis: ['setInterval'] });
  try {
    const followers = new EventFollowers({ events: store.events, slots, onEvents: () => undefined });
    const streams = Array.from({ length: limits.streamsMax }, () =>
      followers.open({ query: {}, afterSeq: 0 }),
    );
    const [stalled] = streams;
    stalled?.on('error', () => undefined).read();
    for (const stream of streams.slice(1)) stream.resume();
    const length = () => stalled?.readableLength ?? 0;
    await until('a page that nobody takes', () => length() > limits.streamChunkBytes);
    assert.throws(() => slots.take(), { code: 'too_many_requests' });
    for (let ms = 0; ms < limits.connectionTimeoutMs; ms += limits.streamHeartbeatMs) {
      assert.equal(stalled?.destroyed, false);
      mock.timers.tick(limits.streamHeartbeatMs);
      await someRounds();
    }
    assert.deepEqual(
      [stalled?.destroyed, streams.slice(1).some(({ destroyed }) => destroyed)],
      [true, false],
    );
    slots.take();
    for (const stream of streams) stream.destroy();
  } finally {
    mock.timers.reset();
    store.close();
  }
});
