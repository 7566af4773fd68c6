import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import type { Btf } from './btf.ts';
import { parseBtf } from './parse.ts';

/** Where the kernel shows its own type information (Linux 5.4, CONFIG_DEBUG_INFO_BTF). */
export const kernelBtfPath = '/sys/kernel/btf/vmlinux';

/** The types of the running kernel, or the reason why they cannot be known. */
export type KernelBtf = { readonly btf: Btf } | { readonly missing: string };

/** Reads the kernel's types: 5.5 MB, about 20 ms. */
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

/**
 * Reads the types of a kernel module, which go on from those of the kernel. They stand beside `vmlinux`.
 *
 * @throws PinfoldError object_not_found where no such module has BTF, invalid_input where it is damaged
 */
export function readModuleBtf(name: string, kernel: Btf, directory = dirname(kernelBtfPath)): Btf {
  const notFound = { detail: `there is no module ${name} with BTF`, kind: 'btf' };
  // A name with a slash would lead out of the directory.
  if (!/^[\w-]+$/.test(name)) throw new PinfoldError('object_not_found', notFound);
  try {
    return parseBtf(readFileSync(`${directory}/${name}`), kernel);
  } catch (error) {
    throw isPinfoldError(error) ? error : new PinfoldError('object_not_found', notFound, error);
  }
}
