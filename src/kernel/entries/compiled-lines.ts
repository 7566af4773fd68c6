import type { JsonText } from '../btf/codec/json-text.ts';
import type { Arena } from '../json-code/arena.ts';
import { type LineCode, LineWriter } from '../json-code/line-writer.ts';
import { batchBytes } from './batch-reader.ts';
import type { MapShape } from './map-shape.ts';
import type { EntryPlace } from './write/part.ts';

/** Entries whose text may get longer than this are not worth so much memory. */
const lineBytesMax = 1024 * 1024;

/** What code may read behind the last value: it reads bit fields eight bytes at a time. */
const behindValue = 8;

/**
 * Writes the entries of one reading with code of their own, in memory that the reader, the code and the text
 * share. It writes only what lies there; everything else is left to closures.
 */
export class CompiledLines {
  readonly #arena: Arena;
  readonly #writer: LineWriter;
  readonly #shape: MapShape;
  readonly #text: Buffer;
  readonly #textBytes: number;

  constructor(shape: MapShape, code: LineCode, { arena, textBytes }: Memory) {
    this.#arena = arena;
    this.#writer = new LineWriter(arena, code);
    this.#shape = shape;
    this.#text = arena.take(textBytes + code.lineBytesMax);
    this.#textBytes = textBytes;
  }

  /** A buffer for keys or values that code can read. @throws RangeError where they are more than one batch */
  allocate(size: number): Buffer {
    return this.#arena.take(size + behindValue).subarray(0, size);
  }

  /**
   * Writes up to `count` entries from `place` on, and moves place and text. It ends before that where the
   * text is as long as it should be, or at an entry that it cannot write.
   */
  write(place: EntryPlace, count: number, text: JsonText): number {
    if (text.length === 0) text.bytes = this.#text;
    const keys = this.#arena.addressOf(place.keys);
    const values = this.#arena.addressOf(place.values);
    const begin = this.#arena.addressOf(text.bytes);
    if (keys === undefined || values === undefined || begin === undefined) return 0;
    const written = this.#writer.write({
      key: keys + place.keyAt,
      value: values + place.valueAt,
      count,
      out: begin + text.length,
      outEnd: begin + this.#textBytes,
    });
    place.keyAt += written.count * this.#shape.keySize;
    place.valueAt += written.count * this.#shape.wireSize;
    text.length = written.end - begin;
    return written.count;
  }
}

/** Where a reading's code works, and how long the text in it should get. */
interface Memory {
  readonly arena: Arena;
  readonly textBytes: number;
}

/** Gives an arena with so much room, or undefined where there is none. */
export type TakeArena = (bytes: number) => Arena | undefined;

/**
 * The code of a reading, at work in an arena that is taken for it; undefined where there is no code, its
 * lines are too long, or there is no memory.
 */
export function compiledLines(
  shape: MapShape,
  code: LineCode | undefined,
  { takeArena, textBytes }: { readonly takeArena: TakeArena; readonly textBytes: number },
): CompiledLines | undefined {
  if (code === undefined || code.lineBytesMax > lineBytesMax) return undefined;
  const entries = Math.max(batchBytes, shape.keySize + shape.wireSize);
  const arena = takeArena(textBytes + code.lineBytesMax + entries + 2 * behindValue);
  return arena === undefined ? undefined : new CompiledLines(shape, code, { arena, textBytes });
}
