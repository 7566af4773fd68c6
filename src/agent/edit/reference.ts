import type { GivenReference } from '../../kernel/edit/reference-input.ts';
import type { HeldObject, Kernel } from '../../kernel/kernel.ts';
import { duplicateFromProcess } from '../../kernel/object/from-process.ts';
import type { Fd } from '../../kernel/sys/fd.ts';
import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import { assertExpected } from '../operation/source.ts';

/** What a value names, held until it stands in the map. */
export interface HeldReference extends Disposable {
  readonly fd: Fd;
}

/**
 * Holds what a value names.
 *
 * @throws PinfoldError source_not_found, source_mismatch, permission_denied
 */
export function holdReference(kernel: Kernel, reference: GivenReference): HeldReference {
  if (reference.kind === 'socket') {
    const fd = duplicateFromProcess(kernel.calls, reference);
    return { fd, [Symbol.dispose]: () => fd[Symbol.dispose]() };
  }
  const held = holdNamed(kernel, reference.kind, reference.id);
  try {
    if (reference.expect !== undefined) assertExpected(held, reference.expect);
    return held;
  } catch (error) {
    held[Symbol.dispose]();
    throw error;
  }
}

/** The bytes to write: those that name something by its id have its descriptor there. */
export function withDescriptor(value: Buffer, at: number, fd: Fd): Buffer {
  const bytes = Buffer.from(value);
  bytes.writeUInt32LE(fd.number, at);
  return bytes;
}

function holdNamed({ objects }: Kernel, kind: 'map' | 'program', id: number): HeldObject {
  try {
    return objects.holdById(kind, id);
  } catch (error) {
    if (!isPinfoldError(error, 'object_not_found')) throw error;
    const detail = `There is no ${kind} ${id} to put into the map.`;
    throw new PinfoldError('source_not_found', { detail, kind, id }, error);
  }
}
