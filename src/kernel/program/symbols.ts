import { type FileHandle, open } from 'node:fs/promises';

/** Names of kernel functions by where they are, counted from `__bpf_call_base`. */
export interface CalleeNames {
  readonly names: ReadonlyMap<number, string>;
  /** Why names are missing; absent where all were looked up. */
  readonly unavailable?: string;
}

/** What calls of helpers count from: `imm` is the distance to it (BPF_CAST_CALL, kernel/bpf/verifier.c). */
const baseSymbol = '__bpf_call_base';

/** Hexadecimal digits of an address in /proc/kallsyms. */
const addressDigits = 16;

/**
 * Finds the names of kernel functions that programs call, in /proc/kallsyms.
 *
 * The kernel writes the file anew for each reader (tens of milliseconds for more than 100,000 symbols), so it
 * is read in the thread pool, a few KiB at a time, and only when a call is not yet known. What the kernel
 * itself has stays where it is until the next boot and is remembered; what modules have is not.
 */
export class KernelSymbols {
  readonly #path: string;
  readonly #remembered = new Map<number, string>();
  #base: bigint | undefined;

  constructor(path = '/proc/kallsyms') {
    this.#path = path;
  }

  /** Looks up what is at these distances from the base. Does not fail: names are missing with a reason. */
  async namesOf(offsets: ReadonlySet<number>): Promise<CalleeNames> {
    const missing = [...offsets].filter((offset) => !this.#remembered.has(offset));
    const names = new Map(this.#remembered);
    if (missing.length === 0) return { names };
    try {
      this.#base ??= await this.#findBase();
      if (this.#base === undefined) return { names, unavailable: `${this.#path} has no ${baseSymbol}` };
      if (this.#base === 0n) return { names, unavailable: `kernel.kptr_restrict hides the addresses` };
      await this.#find(this.#base, missing, names);
      return { names };
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error;
      return { names, unavailable: `${this.#path} cannot be read (${String(error.code)})` };
    }
  }

  async #findBase(): Promise<bigint | undefined> {
    for await (const lines of linesOf(this.#path)) {
      const line = lines.find((each) => each.endsWith(` ${baseSymbol}`));
      if (line !== undefined) return BigInt(`0x${line.slice(0, addressDigits)}`);
    }
    return undefined;
  }

  /** Several symbols may share an address; the first that is named as BPF functions are counts most. */
  async #find(base: bigint, offsets: readonly number[], names: Map<number, string>): Promise<void> {
    const wanted = new Map(offsets.map((offset) => [addressText(base + BigInt(offset)), offset]));
    for await (const lines of linesOf(this.#path)) {
      for (const line of lines) {
        const offset = wanted.get(line.slice(0, addressDigits));
        if (offset === undefined) continue;
        const [name = '', module] = line.slice(addressDigits + 3).split('\t');
        const known = names.get(offset);
        if (known !== undefined && (known.startsWith('bpf_') || !name.startsWith('bpf_'))) continue;
        names.set(offset, name);
        if (module === undefined) this.#remembered.set(offset, name);
      }
    }
  }
}

function addressText(address: bigint): string {
  return BigInt.asUintN(64, address).toString(16).padStart(addressDigits, '0');
}

/** The lines of a file of /proc, as many at a time as one read(2) gives. */
async function* linesOf(path: string): AsyncGenerator<string[], void, undefined> {
  await using file: FileHandle = await open(path, 'r');
  const buffer = Buffer.alloc(64 * 1024);
  let rest = '';
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) break;
    const lines = (rest + buffer.toString('latin1', 0, bytesRead)).split('\n');
    rest = lines.pop() ?? '';
    yield lines;
  }
  if (rest !== '') yield [rest];
}
