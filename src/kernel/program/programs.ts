import assert from 'node:assert/strict';
import type { ProgramMachineCode } from '../../model/schema/program-code.ts';
import type { ProgramInfo } from '../../model/schema/program-info.ts';
import { enumeratorsOf } from '../btf/details.ts';
import type { KernelBtf } from '../btf/kernel-btf.ts';
import type { HeldObject } from '../kernel.ts';
import { present } from '../object/fields.ts';
import type { FdTable } from '../sys/fd.ts';
import { type ProgramImage, readImage, readMachineCode } from './image.ts';
import { calleesOf, Listing, symbolOf, tailCall } from './listing.ts';
import { loadedInstructions } from './loaded.ts';
import { readProgramBtf } from './program-btf.ts';
import { Source } from './source.ts';
import { enableStatistics } from './statistics.ts';
import { KernelSymbols } from './symbols.ts';

/** What was read of a program while it was open: all but the names of the kernel functions it calls. */
export interface ProgramCode {
  readonly info: ProgramInfo;
  readonly image: ProgramImage;
  readonly source: Source;
}

/** A program's machine code: the bytes, and the document about them. */
export interface ProgramMachine {
  readonly code: Buffer;
  readonly document: ProgramMachineCode;
}

/** What programs consist of, beyond what `Objects` tells of every object. */
export interface Programs {
  /**
   * Reads the instructions of a program that is held. Some milliseconds for the largest the kernel shows.
   *
   * @throws PinfoldError permission_denied where the kernel does not show them, out_of_memory
   */
  readCode(held: HeldObject): ProgramCode;
  /** Finds the names of what a program calls; needs no open program. Does not fail. */
  list(code: ProgramCode): Promise<Listing>;
  /**
   * The instructions as they were loaded, where the tag proves them; undefined where they are not kept. Needs
   * no open program. Does not fail.
   */
  findLoaded(image: Pick<ProgramImage, 'code'>, tag: string): Promise<Buffer | undefined>;
  /** @throws PinfoldError not_supported where the program is interpreted, permission_denied */
  readMachineCode(held: HeldObject): ProgramMachine;
  /**
   * Has the kernel measure all programs until disposed.
   *
   * @throws PinfoldError not_supported, permission_denied
   */
  holdStatistics(): Disposable;
}

/** Programs of the running kernel; see the interface for what each promises. */
export class BpfPrograms implements Programs {
  readonly #fds: FdTable;
  readonly #kernelBtf: KernelBtf;
  readonly #symbols = new KernelSymbols();
  #helpers: ReadonlyMap<string, number> | undefined;

  constructor(fds: FdTable, kernelBtf: KernelBtf) {
    this.#fds = fds;
    this.#kernelBtf = kernelBtf;
  }

  readCode(held: HeldObject): ProgramCode {
    const image = readImage(held);
    const source = new Source(image, readProgramBtf(image.btfId, this.#fds));
    return { info: programOf(held), image, source };
  }

  async list(code: ProgramCode): Promise<Listing> {
    const callees = await this.#symbols.namesOf(calleesOf(code.image.code));
    return new Listing({ ...code, callees, kernelFunction: (id) => this.#kernelFunction(id) });
  }

  async findLoaded({ code }: Pick<ProgramImage, 'code'>, tag: string): Promise<Buffer | undefined> {
    const { names } = await this.#symbols.namesOf(calleesOf(code));
    return loadedInstructions(code, tag, (distance) => {
      if (distance === tailCall.number) return distance;
      const name = names.get(distance);
      return name === undefined ? undefined : this.#helperNumbers().get(name);
    });
  }

  readMachineCode(held: HeldObject): ProgramMachine {
    const { code, functions } = readMachineCode(held);
    const { info, image, source } = this.readCode(held);
    const { id, name, tag } = info;
    const starts = source.functions();
    const document = {
      id,
      name,
      tag,
      bytes: code.length,
      image: 'jited' as const,
      functions: functions.map(({ address, length }, index) =>
        present({
          name: starts[index]?.name ?? '',
          tag: image.tags[index],
          symbol: symbolOf({ info, image }, starts, index),
          address: address === undefined ? undefined : `0x${address.toString(16)}`,
          bytes: length,
        }),
      ),
    };
    return { code, document };
  }

  holdStatistics(): Disposable {
    return enableStatistics(this.#fds);
  }

  /** The helpers of this kernel by name; BPF_FUNC_map_lookup_elem is the function bpf_map_lookup_elem. */
  #helperNumbers(): ReadonlyMap<string, number> {
    if (this.#helpers !== undefined) return this.#helpers;
    const btf = 'btf' in this.#kernelBtf ? this.#kernelBtf.btf : undefined;
    const id = btf?.find('enum', 'bpf_func_id');
    const known = btf === undefined || id === undefined ? [] : enumeratorsOf(btf, id);
    this.#helpers = new Map(
      known.map(({ name, bits }) => [name.replace(/^BPF_FUNC_/, 'bpf_'), Number(bits)]),
    );
    return this.#helpers;
  }

  /** Where functions are too far for 32 bits, a call has the BTF id (bpf_jit_supports_far_kfunc_call). */
  #kernelFunction(id: number): string | undefined {
    if (!('btf' in this.#kernelBtf)) return undefined;
    const { btf } = this.#kernelBtf;
    return id > 0 && id <= btf.typeCount && btf.kindOf(id) === 'func' ? btf.nameOf(id) : undefined;
  }
}

function programOf({ info }: HeldObject): ProgramInfo {
  assert(info.kind === 'program', 'only programs have instructions');
  return info;
}
