import { badBtf } from './bad-btf.ts';
import { column, kinds } from './kind.ts';

/** Words of `struct btf_type`, which every record begins with: name, flags, and size or type. */
export const headWords = 3;

/** Bits of the second word that have a meaning; the kernel refuses any other (BTF_INFO_MASK). */
const infoMask = 0x9f00_ffff;

/** Where the types are, and what it took to find out. */
interface Located {
  /** The word at which each type begins, in order. */
  readonly starts: Uint32Array;
  /** Words looked at; never more than there are. */
  readonly steps: number;
}

/** How far ids and name offsets may go: what the base has and what is added to it. */
interface Extent {
  readonly typeCount: number;
  readonly stringBytes: number;
}

/**
 * Where each type begins: one look at each record's head.
 *
 * @throws PinfoldError invalid_input for an unknown kind (its length is not known), flags without meaning,
 * or a section that ends inside of a record
 */
export function locateTypes(words: Uint32Array): Located {
  const starts = new Uint32Array(Math.floor(words.length / headWords));
  let count = 0;
  let at = 0;
  while (at < words.length) {
    starts[count++] = at;
    const info = words[at + 1] ?? 0;
    if ((info & ~infoMask) !== 0) throw badBtf('flags without a meaning', { type_id: count });
    at += recordWords(info, count);
  }
  if (at > words.length) throw badBtf('it ends inside of a record', { type_id: count });
  return { starts: starts.slice(0, count), steps: count };
}

function recordWords(info: number, nth: number): number {
  const number = (info >>> 24) & 0x1f;
  const shape = kinds.shapeByNumber[number];
  if (shape === undefined || number === 0) {
    throw badBtf(number === 0 ? 'a void that is listed' : `kind ${number} is newer than this build`, {
      type_id: nth,
    });
  }
  return headWords + shape.once.length + shape.each.length * (info & 0xffff);
}

/**
 * Looks at every word of every record: ids must be of types that exist, names must begin in the strings.
 *
 * @throws PinfoldError invalid_input
 */
export function checkReferences(words: Uint32Array, starts: Uint32Array, extent: Extent): number {
  let steps = 0;
  for (let index = 0; index < starts.length; index++) {
    const at = starts[index] ?? 0;
    const info = words[at + 1] ?? 0;
    const shape = kinds.shapeByNumber[(info >>> 24) & 0x1f];
    if (shape === undefined) continue;
    checkWord(column.name, words[at] ?? 0, extent);
    checkWord(shape.third, words[at + 2] ?? 0, extent);
    let next = at + headWords;
    for (const each of shape.once) checkWord(each, words[next++] ?? 0, extent);
    const width = shape.each.length;
    for (let entry = width === 0 ? 0 : info & 0xffff; entry > 0; entry--) {
      for (let nth = 0; nth < width; nth++) checkWord(shape.each[nth] ?? 0, words[next++] ?? 0, extent);
    }
    steps += next - at;
  }
  return steps;
}

function checkWord(what: number, word: number, extent: Extent): void {
  if (what === column.id && word > extent.typeCount) {
    throw badBtf(`there is no type ${word}, only ${extent.typeCount}`);
  }
  if (what === column.name && word >= extent.stringBytes) {
    throw badBtf(`there is no name at ${word} of ${extent.stringBytes} bytes`);
  }
}
