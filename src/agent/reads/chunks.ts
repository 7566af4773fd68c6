import { setImmediate } from 'node:timers/promises';
import { limits } from '../../model/limits.ts';

/**
 * Joins pieces of text to chunks of an answer, and lets the event loop turn whenever a slice of time is over:
 * long answers delay nobody. The clock is looked at after every `stride` pieces.
 */
export async function* chunksOf(pieces: Iterable<string>, stride: number): AsyncGenerator<Buffer> {
  let text = '';
  let count = 0;
  let sliceEnds = performance.now() + limits.observeSliceMs;
  for (const piece of pieces) {
    text += piece;
    if (text.length >= limits.streamChunkBytes) {
      yield Buffer.from(text);
      text = '';
    }
    if (++count % stride !== 0 || performance.now() < sliceEnds) continue;
    await setImmediate();
    sliceEnds = performance.now() + limits.observeSliceMs;
  }
  if (text !== '') yield Buffer.from(text);
}
