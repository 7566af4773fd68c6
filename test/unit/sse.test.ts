import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import test from 'node:test';
import { StreamSlots } from '../../src/api/ndjson.ts';
import { EventFollowers } from '../../src/api/sse.ts';
import { limits } from '../../src/model/limits.ts';
import { databaseOf, openTestStore, sqlite3 } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';
import { thickEvent } from '../support/thick-event.ts';
import { someRounds, turn } from '../support/turn.ts';
import { until } from '../support/until.ts';

/** Ends a stream; its timer is cleared by the same clock that set it. */
async function closed(stream: Readable): Promise<void> {
  stream.destroy();
  await once(stream, 'close');
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
  const stream = followers.open({ query: {}, after: undefined });
  stream.read();
  const count = 2000;
  for (let number = 0; number < count; number += 100) {
    store.events.append(Array.from({ length: 100 }, (_, index) => thickEvent(number + index)));
    for (const listener of listeners) listener();
    await turn();
  }
  const pageBytes = limits.streamEventsMax * 2400;
  assert.ok(stream.readableLength <= limits.streamChunkBytes + pageBytes, String(stream.readableLength));
  const seen: number[] = [];
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    for (const [, id] of chunk.matchAll(/^id: (\d+)-[0-9a-f]{12}$/gm)) seen.push(Number(id));
  });
  await until('all of them', () => seen.length >= count);
  assert.deepEqual(
    seen,
    Array.from({ length: count }, (_, index) => index + 1),
  );
  await closed(stream);
  store.close();
});

test('a stream without events shows that it is alive, and where in history it is', async ({ mock }) => {
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
    const stream = followers.open({ query: { types: ['pin.created'] }, after: { seq: 0, hash: undefined } });
    let text = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    await someRounds();
    mock.timers.tick(limits.streamHeartbeatMs - 1);
    assert.equal(text, 'retry: 1000\n\n');
    mock.timers.tick(1);
    await someRounds();
    const [hash] = sqlite3(databaseOf(dir.path), 'SELECT lower(hex(hash)) FROM event').split('\n');
    assert.equal(text, `retry: 1000\n\n: alive\nid: 1-${hash?.slice(0, 12)}\n\n`);
    await closed(stream);
  } finally {
    mock.timers.reset();
    store.close();
  }
});
