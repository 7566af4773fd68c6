import { PinfoldError } from '../../model/error.ts';
import type { SourceLine } from '../../model/schema/program-code.ts';
import type { Btf } from '../btf/btf.ts';
import type { ProgramImage, Records } from './image.ts';
import { signatureOf } from './signature.ts';

/** Fields of struct bpf_func_info and struct bpf_line_info, include/uapi/linux/bpf.h. */
const functionAt = { slot: 0, typeId: 4 } as const;
const lineAt = { slot: 0, file: 4, line: 8, place: 12 } as const;

/** A function that begins at a slot. */
export interface FunctionStart {
  readonly slot: number;
  readonly name: string;
  readonly signature: string;
}

/**
 * What the program's own BTF says of its source: where functions begin, and which line an instruction is
 * of.
 *
 * Both are asked for slot by slot, in order, and each is given once, where it begins: the reader keeps its
 * place.
 */
export class Source {
  readonly #image: ProgramImage;
  readonly #btf: Btf | undefined;

  constructor(image: ProgramImage, btf: Btf | undefined) {
    this.#image = image;
    this.#btf = btf;
  }

  /** All functions, in the order of their slots; empty without BTF. */
  functions(): FunctionStart[] {
    const { functions } = this.#image;
    const btf = this.#btf;
    if (btf === undefined) return [];
    return Array.from({ length: countOf(functions) }, (_, index) => {
      const id = wordOf(functions, index, functionAt.typeId);
      const name = known(() => btf.nameOf(id)) ?? '';
      return {
        slot: wordOf(functions, index, functionAt.slot),
        name,
        signature: known(() => signatureOf(btf, id)) ?? '',
      };
    });
  }

  /** Gives for each slot, which must rise from call to call, the line that begins there. */
  reader(from: number): (slot: number) => SourceLine | undefined {
    const { lines } = this.#image;
    const btf = this.#btf;
    const count = btf === undefined ? 0 : countOf(lines);
    let next = firstFrom(lines, count, from);
    return (slot) => {
      let found: number | undefined;
      while (next < count && wordOf(lines, next, lineAt.slot) <= slot) found = next++;
      return found === undefined || btf === undefined ? undefined : lineOf(btf, lines, found);
    };
  }
}

function lineOf(btf: Btf, lines: Records, index: number): SourceLine | undefined {
  const text = known(() => btf.stringAt(wordOf(lines, index, lineAt.line)));
  if (text === undefined) return undefined;
  const place = wordOf(lines, index, lineAt.place);
  return {
    file: known(() => btf.stringAt(wordOf(lines, index, lineAt.file))) ?? '',
    line: place >>> 10,
    column: place & 0x3ff,
    text: text.trimStart(),
  };
}

/** The first record at a slot or after it; records are in the order of their slots. */
function firstFrom(records: Records, count: number, slot: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (wordOf(records, middle, lineAt.slot) < slot) low = middle + 1;
    else high = middle;
  }
  return low;
}

function countOf({ bytes, size }: Records): number {
  return size === 0 ? 0 : Math.floor(bytes.length / size);
}

function wordOf({ bytes, size }: Records, index: number, offset: number): number {
  return bytes.readUInt32LE(index * size + offset);
}

/** What BTF says, or undefined where it is damaged: then the program is shown without. */
function known(read: () => string): string | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof PinfoldError) return undefined;
    throw error;
  }
}
