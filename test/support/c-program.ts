import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { arch } from 'node:process';
import { repoPath } from './repo-root.ts';

const multiarch = `${arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;
const gcc = ['gcc', '-std=gnu11', '-D_GNU_SOURCE', '-O1', '-g', '-Wall', '-Wextra', '-Werror'];
const clangBpf = [
  'clang',
  '-target',
  'bpf',
  '-mcpu=v3',
  '-O2',
  '-g',
  '-Wall',
  '-Werror',
  `-I/usr/include/${multiarch}`,
  '-c',
];

/**
 * Compiles `test/support/c/NAME.c` and gives the program's path; independent of our own system-call layer.
 *
 * Compiled files are kept under TMPDIR by a hash of the source, so a run compiles each program once. Links
 * with libbpf (the uapi headers are Debian's, so newer constants are spelled as numbers in the sources) and
 * threads.
 */
export function compileC(name: string): string {
  return compile(name, `${name}.c`, (source, out) => [...gcc, source, '-o', out, '-lbpf', '-pthread']);
}

/** Compiles `test/support/c/NAME.bpf.c` to a BPF ELF object with BTF and gives its path. */
export function compileBpf(name: string): string {
  return compile(`${name}.bpf.o`, `${name}.bpf.c`, (source, out) => [...clangBpf, source, '-o', out]);
}

/** The headers that programs share; all of them, because which one includes which is not known here. */
function headers(): string[] {
  const directory = repoPath('test/support/c');
  const names = readdirSync(directory).filter((name) => name.endsWith('.h'));
  return names.sort().map((name) => join(directory, name));
}

function hashOf(files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}

function compile(name: string, file: string, command: (source: string, out: string) => string[]): string {
  const source = repoPath('test/support/c', file);
  const hash = hashOf([...headers(), source]);
  const dir = join(tmpdir(), 'pinfold-test-c', hash);
  const out = join(dir, basename(name));
  if (existsSync(out)) return out;
  mkdirSync(dir, { recursive: true });
  const partial = `${out}.${process.pid}`;
  const [compiler = '', ...args] = command(source, partial);
  execFileSync(compiler, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  renameSync(partial, out);
  return out;
}
