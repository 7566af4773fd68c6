import { setImmediate } from 'node:timers/promises';
import type { Listing } from '../../kernel/program/listing.ts';
import { instructionText, type TextOptions } from '../../kernel/program/text.ts';
import { limits } from '../../model/limits.ts';

/** A program as `bpftool prog dump xlated` prints it. */
export function textChunks(listing: Listing, options: TextOptions): AsyncGenerator<Buffer> {
  return chunksOf(textLines(listing, options));
}

function* textLines(listing: Listing, options: TextOptions): Generator<string, void, undefined> {
  for (const instruction of listing.instructions()) {
    yield instructionText(instruction, listing.code, options);
  }
}

/** A program as one JSON document, whose last member is the long one. */
export function jsonChunks(listing: Listing): AsyncGenerator<Buffer> {
  return chunksOf(jsonPieces(listing));
}

function* jsonPieces(listing: Listing): Generator<string, void, undefined> {
  yield `${JSON.stringify(listing.head).slice(0, -1)},"instructions":[`;
  let separator = '';
  for (const instruction of listing.instructions()) {
    yield separator + JSON.stringify(instruction);
    separator = ',';
  }
  yield ']}';
}

/** How many instructions are worked on between two looks at the clock. */
const stride = 64;

/**
 * Joins pieces to chunks, and lets the event loop turn whenever a slice of time is over: half a million
 * instructions, which is the most the kernel shows, delay nobody.
 */
async function* chunksOf(pieces: Iterable<string>): AsyncGenerator<Buffer> {
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
