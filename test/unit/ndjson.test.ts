import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import { type Batches, StreamSlots, streamLines } from '../../src/api/ndjson.ts';
import { limits } from '../../src/model/limits.ts';
import { turn } from '../support/turn.ts';

/** Keeps the event loop for more than streams may in one round of it. */
function work(): void {
  const end = performance.now() + limits.streamSliceMs + 1;
  while (performance.now() < end);
}

test('however many streams are read at full speed, others get the event loop after each slice', async () => {
  const [streams, batchesEach] = [6, 10];
  const slots = new StreamSlots();
  let drawn = 0;
  let open = streams;
  function* batches(): Batches<string> {
    for (let index = 0; index < batchesEach; index++) {
      drawn++;
      work();
      yield ['x'];
    }
    return {};
  }
  for (let index = 0; index < streams; index++) streamLines(batches(), slots, () => open--).resume();
  let most = 0;
  for (let before = drawn; open > 0; before = drawn) {
    await turn();
    most = Math.max(most, drawn - before);
  }
  assert.deepEqual([drawn, most], [streams * batchesEach, 1]);
});

test('a large batch leaves in chunks, and others get the event loop between them', async () => {
  const text = 'y'.repeat(limits.streamChunkBytes);
  const count = 20;
  function* batches(): Batches<unknown> {
    const toJSON = (): string => {
      work();
      return text;
    };
    yield Array.from({ length: count }, () => ({ toJSON }));
    return { count };
  }
  let round = 0;
  const roundOf: number[] = [];
  const chunks: string[] = [];
  const stream = streamLines(batches(), new StreamSlots(), () => undefined);
  stream.on('data', (chunk: Buffer) => {
    roundOf.push(round);
    chunks.push(chunk.toString());
  });
  const ended = once(stream, 'close').then(() => true);
  while (!(await Promise.race([ended, turn(false)]))) round++;
  const line = `"${text}"\n`;
  assert.deepEqual(chunks, [
    ...Array.from({ length: count }, () => line),
    `{"summary":{"count":${count}}}\n`,
  ]);
  assert.equal(new Set(roundOf.slice(0, count)).size, count, String(roundOf));
});
