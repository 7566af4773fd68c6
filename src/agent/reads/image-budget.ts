import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';

/**
 * Bounds the bytes of programs that are in memory at one time, for callers who may read slowly.
 *
 * One program always fits where there is no other, however large it is: the kernel bounds it.
 */
export class ImageBudget {
  #bytes = 0;

  /** Takes bytes until the answer is disposed. @throws PinfoldError too_many_requests */
  take(bytes: number): Disposable {
    if (this.#bytes > 0 && this.#bytes + bytes > limits.programImageBytesMax) {
      throw new PinfoldError('too_many_requests', {
        detail: `Programs of ${this.#bytes} bytes are being read already: wait until they are.`,
        limit: 'program_images',
        retry_after: 1,
      });
    }
    this.#bytes += bytes;
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (isHeld) this.#bytes -= bytes;
        isHeld = false;
      },
    };
  }
}
