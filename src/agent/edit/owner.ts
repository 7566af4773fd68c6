import type { GivenOwner } from '../../kernel/edit/owner-key.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { duplicateFromProcess, openProcess } from '../../kernel/object/from-process.ts';
import type { Fd } from '../../kernel/sys/fd.ts';
import { PinfoldError } from '../../model/error.ts';

/** A key, which may be a descriptor that is open for as long as the key is used. */
export interface HeldKey extends Disposable {
  readonly bytes: Buffer;
  /** Whether it says the same to everybody, and later. */
  readonly isLasting: boolean;
}

/** A key of bytes. */
export function lastingKey(bytes: Buffer): HeldKey {
  return { bytes, isLasting: true, [Symbol.dispose]: () => undefined };
}

/**
 * The key of an owner's storage: the number of a descriptor of it, which is closed with the key.
 *
 * @throws PinfoldError source_not_found, source_mismatch, permission_denied
 */
export function ownerKey(kernel: Kernel, owner: GivenOwner): HeldKey {
  const fd = openOwner(kernel, owner);
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(fd.number);
  return { bytes, isLasting: false, [Symbol.dispose]: () => fd[Symbol.dispose]() };
}

function openOwner({ calls, cgroups }: Kernel, owner: GivenOwner): Fd {
  if (owner.kind === 'descriptor') return duplicateFromProcess(calls, owner);
  if (owner.kind === 'process') return openProcess(calls, owner);
  const found = cgroups.open(owner.id);
  if (found !== undefined) return found;
  const detail = `There is no control group ${owner.id} in sight.`;
  throw new PinfoldError('source_not_found', { detail, cgroup_id: String(owner.id) });
}
