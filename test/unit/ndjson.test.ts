import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import { type Batches, StreamSlots, streamLines } from '../../src/api/ndjson.ts';
import { isClientError } from '../../src/client/client-error.ts';
import { readLines } from '../../src/client/lines.ts';
import { readNdjson } from '../../src/client/ndjson.ts';
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

/** A body in chunks of so many bytes. */
async function* chunksOf(text: string, bytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  const whole = Buffer.from(text);
  for (let at = 0; at < whole.length; at += bytes) yield whole.subarray(at, at + bytes);
}

async function linesOf(text: string, bytes: number, charsMax?: number): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const line of readLines(chunksOf(text, bytes), charsMax)) lines.push(line);
  return lines;
}

test('lines are the same however they are cut into chunks, inside of characters too', async () => {
  const lines = ['', 'é€👍', '{"a":1}', '', '日本語\r', 'x'];
  for (const end of ['', '\n'])
    for (let bytes = 1; bytes < 12; bytes++)
      assert.deepEqual(await linesOf(lines.join('\n') + end, bytes), lines, `${bytes} bytes a chunk`);
  assert.deepEqual(await linesOf('', 1), []);
});

test('a line in many chunks is read with work that grows as its length does', async (t) => {
  const line = 'y'.repeat(1 << 20);
  let chars = 0;
  const { split } = String.prototype;
  t.mock.method(String.prototype, 'split', function (this: string, separator: string): unknown {
    chars += this.length;
    return Reflect.apply(split, this, [separator]);
  });
  const lines = await linesOf(`${line}\n${line}`, 1024);
  t.mock.restoreAll();
  assert.deepEqual(
    lines.map(({ length }) => length),
    [line.length, line.length],
  );
  assert.ok(chars >= 2 * line.length && chars < 3 * line.length, `${chars} characters looked at`);
});

test('a line that cannot be one text has an error of its own, a list that is cut another', async () => {
  const read = async (text: string, charsMax?: number): Promise<readonly unknown[]> => {
    const items: unknown[] = [];
    for await (const item of readNdjson(chunksOf(text, 7), charsMax)) items.push(item);
    return items;
  };
  const whole = '{"a":1}\n{"summary":{}}\n';
  assert.deepEqual(await read(whole, 14), [{ a: 1 }]);
  await assert.rejects(read(whole, 13), (error) => isClientError(error, 'line_too_long'));
  for (const text of ['{"a":1}\n', '{"a":1}\n{"sum', ''])
    await assert.rejects(read(text), (error) => isClientError(error, 'cut_short'), text);
});
