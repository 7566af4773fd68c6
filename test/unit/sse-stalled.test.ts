import assert from 'node:assert/strict';
import test from 'node:test';
import { StreamSlots } from '../../src/api/ndjson.ts';
import { EventFollowers } from '../../src/api/sse.ts';
import { limits } from '../../src/model/limits.ts';
import { openTestStore } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';
import { thickEvent } from '../support/thick-event.ts';
import { someRounds } from '../support/turn.ts';
import { until } from '../support/until.ts';

test('a reader that takes nothing for a minute is cut off, and its slot is free', async ({ mock }) => {
  using dir = tempDir('sse');
  const store = openTestStore(dir.path);
  store.events.append(Array.from({ length: 200 }, (_, index) => thickEvent(index)));
  const slots = new StreamSlots();
  mock.timers.enable({ apis: ['setInterval'] });
  const followers = new EventFollowers({ events: store.events, slots, onEvents: () => undefined });
  const streams = Array.from({ length: limits.streamsMax }, () =>
    followers.open({ query: {}, after: { seq: 0, hash: undefined } }),
  );
  try {
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
  } finally {
    for (const stream of streams) stream.destroy();
    await someRounds();
    mock.timers.reset();
    store.close();
  }
});
