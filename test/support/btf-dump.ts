import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { tempDir } from './temp-dir.ts';

const much = { encoding: 'utf8', maxBuffer: 1 << 28 } as const;

/**
 * What `bpftool -j btf dump …` prints, with one fault of bpftool 7.1 mended: it shows unsigned 32-bit
 * enumerators above 2^31 with the sign bits of a 64-bit number.
 */
export function dumpBtfJson(...source: readonly string[]): string {
  const text = execFileSync('bpftool', ['-j', 'btf', 'dump', ...source], much).trim();
  return text.replaceAll(
    /"kind":"ENUM","name":"[^"]*","encoding":"UNSIGNED"[^[]*"values":\[[^\]]*\]/g,
    (found) =>
      found.replaceAll(/"val":(\d{11,})/g, (_, value) => `"val":${BigInt.asUintN(32, BigInt(value))}`),
  );
}

/** The C header `bpftool btf dump … format c` prints. */
export function dumpBtfC(...source: readonly string[]): string {
  return execFileSync('bpftool', ['btf', 'dump', ...source, 'format', 'c'], much);
}

/** The BTF that clang has put into an object file. */
export function btfSection(objectPath: string): Buffer {
  using dir = tempDir('btf');
  // GNU objcopy does not know the machine, but any 64-bit ELF will do.
  const format = ['-I', 'elf64-little', '-O', 'elf64-little'];
  const dump = `--dump-section=.BTF=${dir.path}/btf`;
  execFileSync('objcopy', [...format, dump, objectPath, `${dir.path}/copy`]);
  return readFileSync(`${dir.path}/btf`);
}

/** C without what only looks different: white space, and the unnamed bit fields that fill gaps. */
export function normalizeC(text: string): string[] {
  return text
    .replaceAll(/^\s+(long|int|short|char): \d+;$/gm, '')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ ?([;,(){}*:[\]]) ?/g, '$1')
    .split(';');
}
