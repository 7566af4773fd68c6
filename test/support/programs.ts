import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pinnedProgram } from './bpftool.ts';
import { compileBpf } from './c-program.ts';

/** A program that bpftool has loaded and pinned. */
export interface LoadedProgram {
  /** Of its function in C. */
  readonly name: string;
  readonly id: number;
  readonly path: string;
}

/** Compiles `test/support/c/NAME.bpf.c`, loads all its programs and pins them in a new directory. */
export function loadPrograms(name: string, directory: string): LoadedProgram[] {
  mkdirSync(directory);
  execFileSync('bpftool', ['prog', 'loadall', compileBpf(name), directory], { stdio: 'pipe' });
  return readdirSync(directory).map((file) => {
    const path = join(directory, file);
    return { name: file, id: pinnedProgram(path).id, path };
  });
}

/** What `bpftool prog dump xlated` prints of a program, as text. */
export function dumpXlated(id: number, option?: 'linum' | 'opcodes'): string {
  const args = ['prog', 'dump', 'xlated', 'id', String(id), ...(option === undefined ? [] : [option])];
  const run = spawnSync('bpftool', args, { encoding: 'utf8', maxBuffer: 1 << 30 });
  if (run.status !== 0) throw new Error(`bpftool ${args.join(' ')} exited ${run.status}: ${run.stderr}`);
  return run.stdout;
}

/** One instruction as it lies in memory (struct bpf_insn). */
export interface RawInstruction {
  readonly code: number;
  readonly dst?: number;
  readonly src?: number;
  readonly off?: number;
  readonly imm?: number;
}

/** Instructions by hand: those that this compiler does not know, or that no compiler writes. */
export function assembleRaw(instructions: readonly RawInstruction[]): Buffer {
  const bytes = Buffer.alloc(8 * instructions.length);
  for (const [index, { code, dst = 0, src = 0, off = 0, imm = 0 }] of instructions.entries()) {
    bytes.writeUInt8(code, 8 * index);
    bytes.writeUInt8((src << 4) | dst, 8 * index + 1);
    bytes.writeInt16LE(off, 8 * index + 2);
    bytes.writeInt32LE(imm, 8 * index + 4);
  }
  return bytes;
}
