import { type Arena, tables, type WasmRun } from './arena.ts';
import { answer, get, i32, loopWhile, set, stores, word } from './instructions.ts';
import { JsonCode, overshootBytes, TooMuchCode } from './json-code.ts';
import { advance, routines } from './routines.ts';
import { assemble } from './wasm-module.ts';

/** What the lines of one map consist of. */
export interface LineLayout {
  readonly keySize: number;
  readonly valueSize: number;
  /** Says how an entry is written; the key is at `json.base` first, then the value after `toValue`. */
  readonly emit: (json: JsonCode, toValue: () => void) => void;
}

/** The code for a layout, ready to be loaded into an arena. */
export interface LineCode {
  readonly module: Uint8Array;
  /** Bytes that must be free behind where a line begins. */
  readonly lineBytesMax: number;
}

/** Parameters and first locals of the function that writes lines. */
const local = { key: 0, value: 1, count: 2, out: 3, outEnd: 4, begin: 5, free: 6 } as const;

/** Compiles a layout; undefined where it is not worth it. */
export function compileLines({ keySize, valueSize, emit }: LineLayout): LineCode | undefined {
  const leave = [...stores.u32(i32(0), get(local.count), tables.progress), ...answer(get(local.begin))];
  const json = new JsonCode(local.key, { out: local.out, firstFree: local.free, giveUp: leave });
  try {
    emit(json, () => {
      json.base = local.value;
    });
    json.literal('\n');
    const line = json.code();
    const body = [
      ...set(local.begin, get(local.out)),
      ...loopWhile(word.and(isNotZero(local.count), word.below(get(local.out), get(local.outEnd))), [
        ...line,
        ...set(local.begin, get(local.out)),
        ...advance(local.key, keySize),
        ...advance(local.value, valueSize),
        ...advance(local.count, -1),
      ]),
      ...leave,
      ...i32(0),
    ];
    const parameters = ['i32', 'i32', 'i32', 'i32', 'i32'] as const;
    const module = assemble([...routines, { parameters, locals: ['i32', ...json.locals], body }]);
    return { module, lineBytesMax: json.most + overshootBytes };
  } catch (error) {
    if (error instanceof TooMuchCode) return undefined;
    throw error;
  }
}

function isNotZero(counter: number): readonly number[] {
  return word.differ(get(counter), i32(0));
}

/** Entries that lie in an arena one behind the other, and where their lines go. */
export interface Lines {
  readonly key: number;
  readonly value: number;
  readonly count: number;
  /** Where the text goes on, and where no line begins any more; behind that there is room for one. */
  readonly out: number;
  readonly outEnd: number;
}

/** Writes lines with the code of a layout. */
export class LineWriter {
  readonly #arena: Arena;
  readonly #run: WasmRun;

  constructor(arena: Arena, code: LineCode) {
    this.#arena = arena;
    this.#run = arena.load(code.module);
  }

  /**
   * Writes lines until there are no more entries, the text is long enough, or an entry comes that it cannot
   * write: then `count` is less than asked for although there is room. Answers how many, and where the text
   * ends now.
   */
  write({ key, value, count, out, outEnd }: Lines): { readonly count: number; readonly end: number } {
    const end = this.#run(key, value, count, out, outEnd);
    return { count: count - this.#arena.progress, end };
  }
}
