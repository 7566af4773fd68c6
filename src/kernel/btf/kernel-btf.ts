import { readFileSync } from 'node:fs';
import { isPinfoldError } from '../../model/error.ts';
import type { Btf } from './btf.ts';
import { parseBtf } from './parse.ts';

/** Where the kernel shows its own type information (Linux 5.4, CONFIG_DEBUG_INFO_BTF). */
export const kernelBtfPath = '/sys/kernel/btf/vmlinux';

/** The types of the running kernel, or the reason why they cannot be known. */
export type KernelBtf = { readonly btf: Btf } | { readonly missing: string };

/** Reads the kernel's types: 5.5 MB, about 10 ms. */
export function readKernelBtf(path: string): KernelBtf {
  try {
    return { btf: parseBtf(readFileSync(path)) };
  } catch (error) {
    if (isPinfoldError(error)) return { missing: `${path} cannot be understood: ${error.message}` };
    if (error instanceof Error && 'code' in error) {
      return { missing: `${path} cannot be read (${String(error.code)}); it needs CONFIG_DEBUG_INFO_BTF` };
    }
    throw error;
  }
}
