import { renderC } from '../../kernel/btf/render/c-source.ts';
import { renderJson } from '../../kernel/btf/render/json.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import type { MapTypes } from '../../model/schema/map-types.ts';
import type { TypeFormat, TypeListing, TypeReads } from '../agent.ts';
import { chunksOf } from './chunks.ts';
import { ImageBudget } from './image-budget.ts';
import { readMapTypes } from './map-types.ts';
import { assertUsesIds } from './uses-ids.ts';

/**
 * What BTF objects consist of, always read from the kernel.
 *
 * @throws PinfoldError not_supported with `--pins-only`
 */
export class AgentTypeReads implements TypeReads {
  readonly #kernel: Kernel;
  readonly #isPinsOnly: boolean;
  readonly #budget = new ImageBudget();

  constructor(kernel: Kernel, isPinsOnly: boolean) {
    this.#kernel = kernel;
    this.#isPinsOnly = isPinsOnly;
  }

  ofMap(id: number): MapTypes {
    assertUsesIds(this.#isPinsOnly);
    return readMapTypes(this.#kernel, id);
  }

  types(id: number, format: TypeFormat): TypeListing {
    assertUsesIds(this.#isPinsOnly);
    const { objects, types } = this.#kernel;
    using held = objects.holdById('btf', id);
    const { info } = held;
    const taken = this.#budget.take(info.kind === 'btf' ? info.btf_size : 0);
    const release = (): void => taken[Symbol.dispose]();
    try {
      if (format === 'raw') return { body: types.readBlob(held), [Symbol.dispose]: release };
      const btf = types.read(held);
      const pieces = format === 'c' ? renderC(btf) : renderJson(btf);
      return { body: chunksOf(pieces, 1), [Symbol.dispose]: release };
    } catch (error) {
      release();
      throw error;
    }
  }
}
