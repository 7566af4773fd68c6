import { type Code, unsigned } from './instructions.ts';

/** Values functions take and give. */
export type ValueType = 'i32' | 'i64';

/** A function: its parameters are its first locals. */
export interface WasmFunction {
  readonly parameters: readonly ValueType[];
  readonly locals: readonly ValueType[];
  /** Ends by leaving one 32-bit value. */
  readonly body: Code;
}

const valueTypes = { i32: 0x7f, i64: 0x7e } as const;
const i32Result = [1, valueTypes.i32];
const endOfBody = 0x0b;

/**
 * The binary of a module that imports one memory as `env.memory` and exports its last function as `run`.
 * Functions call each other by their place in the list. (Core specification, 5.5.)
 */
export function assemble(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters }) => [
    0x60,
    ...vector(parameters.map((type) => [valueTypes[type]])),
    ...i32Result,
  ]);
  const memory = [...name('env'), ...name('memory'), 0x02, 0x00, 0x00];
  const run = [...name('run'), 0x00, ...unsigned(functions.length - 1)];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, vector(types)),
    ...section(2, vector([memory])),
    ...section(3, vector(functions.map((_, index) => unsigned(index)))),
    ...section(7, vector([run])),
    ...section(10, vector(functions.map(functionBody))),
  ]);
}

function functionBody({ locals, body }: WasmFunction): Code {
  const declared = vector(locals.map((type) => [1, valueTypes[type]]));
  return sized([...declared, ...body, endOfBody]);
}

function section(id: number, content: Code): Code {
  return [id, ...sized(content)];
}

function vector(items: readonly Code[]): Code {
  return [...unsigned(items.length), ...items.flat()];
}

function name(text: string): Code {
  return sized([...Buffer.from(text)]);
}

function sized(content: Code): Code {
  return [...unsigned(content.length), ...content];
}
