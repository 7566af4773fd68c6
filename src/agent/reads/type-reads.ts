import type { Kernel } from '../../kernel/kernel.ts';
import type { MapTypes } from '../../model/schema/map-types.ts';
import type { TypeFormat, TypeListing, TypeReads } from '../agent.ts';
import type { DumpPool } from '../dump/pool.ts';
import type { RunningJob } from '../dump/running-job.ts';
import { ImageBudget } from './image-budget.ts';
import { readMapTypes } from './map-types.ts';
import { assertUsesIds } from './uses-ids.ts';

/**
 * What BTF objects consist of, always read from the kernel; written out by the threads that read maps.
 *
 * @throws PinfoldError not_supported with `--pins-only`
 */
export class AgentTypeReads implements TypeReads {
  readonly #kernel: Kernel;
  readonly #isPinsOnly: boolean;
  readonly #pool: DumpPool;
  readonly #budget = new ImageBudget();

  constructor(kernel: Kernel, pool: DumpPool, isPinsOnly: boolean) {
    this.#kernel = kernel;
    this.#pool = pool;
    this.#isPinsOnly = isPinsOnly;
  }

  ofMap(id: number): MapTypes {
    assertUsesIds(this.#isPinsOnly);
    return readMapTypes(this.#kernel, id);
  }

  async types(id: number, format: TypeFormat): Promise<TypeListing> {
    assertUsesIds(this.#isPinsOnly);
    const { objects, types } = this.#kernel;
    using held = objects.holdById('btf', id);
    const { info } = held;
    const taken = this.#budget.take(info.kind === 'btf' ? info.btf_size : 0);
    let job: RunningJob | undefined;
    const release = (): void => {
      taken[Symbol.dispose]();
      job?.cancel();
    };
    try {
      if (format === 'raw') {
        return { body: types.readBlob(held), onCut: () => undefined, [Symbol.dispose]: release };
      }
      const isOfKernel = info.kind === 'btf' && info.type !== 'user';
      const source = isOfKernel
        ? { ofKernel: info.type === 'vmlinux' ? 'vmlinux' : (info.name ?? '') }
        : { blob: types.readBlob(held) };
      job = this.#pool.startTypes({ format, source });
      const onCut = job.onCut.bind(job);
      await job.begun();
      return { body: piecesOf(job), onCut, [Symbol.dispose]: release };
    } catch (error) {
      release();
      throw error;
    }
  }
}

async function* piecesOf(job: RunningJob): AsyncGenerator<Uint8Array, void, undefined> {
  for (let piece = await job.next(); piece !== undefined; piece = await job.next()) yield piece;
}
