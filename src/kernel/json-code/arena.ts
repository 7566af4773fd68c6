/** What Node has of WebAssembly and Pinfold uses; the types of Node leave it out. */
declare const WebAssembly: {
  readonly Memory: new (size: { readonly initial: number }) => WasmMemory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: { readonly env: { readonly memory: WasmMemory } },
  ) => { readonly exports: { readonly run: WasmRun } };
};

interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

/** A compiled function; what it takes is the business of whoever assembled it. */
export type WasmRun = (...values: readonly number[]) => number;

const pageBytes = 64 * 1024;

/** Where tables lie in every arena. */
export const tables = {
  /** `00` to `99`, two bytes each. */
  decimalPairs: 0,
  /** `00` to `ff`, two bytes each. */
  hexPairs: 256,
  /** A word in which code says how far it came. */
  progress: 768,
  end: 1024,
} as const;

/**
 * A piece of memory that code works in: what is read lies in it, and the text is written into it. Its size
 * is fixed, so that buffers in it stay good.
 */
export class Arena {
  /** Bytes it was made for. */
  readonly size: number;
  readonly #memory: WasmMemory;
  #taken: number = tables.end;

  /** Room for so many bytes of buffers. @throws RangeError where they cannot be had */
  constructor(bytes: number) {
    this.size = bytes;
    this.#memory = new WebAssembly.Memory({ initial: Math.ceil((tables.end + bytes) / pageBytes) });
    const memory = Buffer.from(this.#memory.buffer);
    for (let value = 0; value < 100; value++) {
      memory.write(String(value).padStart(2, '0'), tables.decimalPairs + 2 * value, 'latin1');
    }
    for (let value = 0; value < 256; value++) {
      memory.write(value.toString(16).padStart(2, '0'), tables.hexPairs + 2 * value, 'latin1');
    }
  }

  /** A buffer in it. @throws RangeError where there is no room left */
  take(size: number): Buffer {
    const buffer = Buffer.from(this.#memory.buffer, this.#taken, size);
    this.#taken += size;
    return buffer;
  }

  /** Makes all room free again. */
  clear(): void {
    this.#taken = tables.end;
  }

  /** Where a buffer begins, as code says it; undefined for a buffer that is elsewhere. */
  addressOf({ buffer, byteOffset }: Buffer): number | undefined {
    return buffer === this.#memory.buffer ? byteOffset : undefined;
  }

  /** The function of a module, working in this memory. */
  load(module: Uint8Array): WasmRun {
    const env = { memory: this.#memory };
    return new WebAssembly.Instance(new WebAssembly.Module(module), { env }).exports.run;
  }

  /** What code last said of how far it came. */
  get progress(): number {
    return Buffer.from(this.#memory.buffer).readUInt32LE(tables.progress);
  }
}
