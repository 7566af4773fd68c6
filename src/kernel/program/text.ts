import type { Instruction, SourceLine } from '../../model/schema/program-code.ts';
import { slotBytes } from './instruction.ts';

/** What lines of text show beside the instructions, named as bpftool names it. */
export interface TextOptions {
  /** The bytes of each instruction below it. */
  readonly opcodes: boolean;
  /** File, line and column behind each line of source. */
  readonly linum: boolean;
}

/** One instruction as `bpftool prog dump xlated` prints it, with what stands above it; whole lines. */
export function instructionText(instruction: Instruction, code: Buffer, options: TextOptions): string {
  const { index, text, signature, source } = instruction;
  const head = signature === undefined ? '' : `${printable(signature)}:\n`;
  const line = source === undefined ? '' : `; ${sourceText(source, options)}\n`;
  const bytes = options.opcodes ? `       ${hexOf(instruction, code)}\n` : '';
  // Printed with `% 4d`: a space stands in front of a number, however long.
  const number = ` ${index}`.padStart(4);
  return `${head}${line}${number}: ${text}\n${bytes}`;
}

function sourceText({ text, file, line, column }: SourceLine, { linum }: TextOptions): string {
  if (!linum) return printable(text);
  return `${printable(text)} [file:${printable(file)} line_num:${line} line_col:${column}]`;
}

function hexOf({ index, opcode }: Instruction, code: Buffer): string {
  const length = opcode === 0x18 ? 2 * slotBytes : slotBytes;
  const bytes = code.subarray(index * slotBytes, index * slotBytes + length);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

/**
 * BTF comes from whoever loaded the program: its text must not begin lines, move a terminal's cursor, or turn
 * the direction of writing. What could is written `\xNN`, byte by byte.
 */
function printable(text: string): string {
  return text.replace(unsafe, (char) => Buffer.from(char).toString('hex').replace(/../g, '\\x$&'));
}

/** Controls, format characters, what is not assigned, separators of lines; tabs are usual in source. */
const unsafe = /(?!\t)[\p{C}\p{Zl}\p{Zp}]/gu;
