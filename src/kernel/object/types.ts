import { PinfoldError } from '../../model/error.ts';
import type { BtfInfo } from '../../model/schema/btf-info.ts';
import type { Btf } from '../btf/btf.ts';
import { type KernelBtf, readModuleBtf } from '../btf/kernel-btf.ts';
import { parseBtf } from '../btf/parse.ts';
import type { HeldObject } from '../kernel.ts';
import { readBtfBlob } from './btf-blob.ts';

/** What BTF objects consist of, beyond what `Objects` tells of every object. */
export interface Types {
  /** The bytes of a BTF object that is held, as they were loaded. @throws PinfoldError not_supported */
  readBlob(held: HeldObject): Buffer;
  /**
   * The types of a BTF object that is held; those of the kernel were read when it was opened.
   *
   * Takes some milliseconds a MiB, of which user BTF has 16 at most.
   * @throws PinfoldError invalid_input where they are damaged or newer than this build, not_supported
   */
  read(held: HeldObject): Btf;
  /** The types of the running kernel. @throws PinfoldError not_supported where it does not show them */
  ofKernel(): Btf;
}

/** Types of BTF objects; see the interface for what each promises. */
export class BpfTypes implements Types {
  readonly #kernelBtf: KernelBtf;

  constructor(kernelBtf: KernelBtf) {
    this.#kernelBtf = kernelBtf;
  }

  readBlob(held: HeldObject): Buffer {
    return readBtfBlob(held.fd);
  }

  read(held: HeldObject): Btf {
    const { info } = held;
    if (info.kind === 'btf' && info.type !== 'user') return this.#ofKernel(info);
    return parseBtf(readBtfBlob(held.fd));
  }

  ofKernel(): Btf {
    if (!('missing' in this.#kernelBtf)) return this.#kernelBtf.btf;
    throw new PinfoldError('not_supported', { detail: this.#kernelBtf.missing });
  }

  /** Types of modules go on from those of vmlinux. */
  #ofKernel({ type, name }: BtfInfo): Btf {
    const btf = this.ofKernel();
    return type === 'vmlinux' ? btf : readModuleBtf(name ?? '', btf);
  }
}
