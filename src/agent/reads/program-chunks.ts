import type { Listing } from '../../kernel/program/listing.ts';
import { instructionText, type TextOptions } from '../../kernel/program/text.ts';
import { chunksOf } from './chunks.ts';

/** How many instructions are worked on between two looks at the clock. */
const stride = 64;

/** A program as `bpftool prog dump xlated` prints it. */
export function textChunks(listing: Listing, options: TextOptions): AsyncGenerator<Buffer> {
  return chunksOf(textLines(listing, options), stride);
}

function* textLines(listing: Listing, options: TextOptions): Generator<string, void, undefined> {
  for (const instruction of listing.instructions()) {
    yield instructionText(instruction, listing.code, options);
  }
}

/** A program as one JSON document, whose last member is the long one. */
export function jsonChunks(listing: Listing): AsyncGenerator<Buffer> {
  return chunksOf(jsonPieces(listing), stride);
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
