import type { Btf } from '../../kernel/btf/btf.ts';
import { kernelBtfPath, readKernelBtf, readModuleBtf } from '../../kernel/btf/kernel-btf.ts';
import { parseBtf } from '../../kernel/btf/parse.ts';
import { renderC } from '../../kernel/btf/render/c-source.ts';
import { renderJson } from '../../kernel/btf/render/json.ts';
import { PinfoldError } from '../../model/error.ts';
import type { Output } from './output.ts';
import type { JobSummary, TypesSpec } from './protocol.ts';

/**
 * Writes the types of a BTF object, in pieces as its reader takes them.
 *
 * @throws PinfoldError invalid_input where they are damaged or newer than this build, not_supported
 * @throws Cancelled
 */
export async function produceTypes({ format, source }: TypesSpec, output: Output): Promise<JobSummary> {
  const btf = typesOf(source);
  for (const piece of format === 'c' ? renderC(btf) : renderJson(btf)) {
    output.text.string(piece);
    if (output.isFull) await output.flush();
    else await output.breathe();
  }
  await output.flush();
  return { count: btf.typeCount, complete: true, consistency: 'per_element' };
}

function typesOf(source: TypesSpec['source']): Btf {
  if ('blob' in source) return parseBtf(Buffer.from(source.blob));
  const kernel = readKernelBtf(kernelBtfPath);
  if ('missing' in kernel) throw new PinfoldError('not_supported', { detail: kernel.missing });
  return source.ofKernel === 'vmlinux' ? kernel.btf : readModuleBtf(source.ofKernel, kernel.btf);
}
