import { PinfoldError } from '../../model/error.ts';
import { fingerprintOf } from '../../model/fingerprint.ts';
import { createMap, type MapAttributes } from '../bpf/create.ts';
import type { HeldObject } from '../kernel.ts';
import { readMapInfo } from '../object/map-info.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { FdTable } from '../sys/fd.ts';

/** How a map that is to be made is called in sentences, and where it stands in the request. */
export interface MakingContext {
  readonly type: string;
  readonly pointer: string;
  readonly fds: FdTable;
}

/**
 * Makes a map. Nothing but the descriptor holds it: what is not pinned is gone with it.
 *
 * @throws PinfoldError invalid_input, out_of_memory, permission_denied, not_supported
 */
export function makeMap(attributes: MapAttributes, context: MakingContext): HeldObject {
  const fd = attempt(attributes, context);
  try {
    const info = readMapInfo(fd);
    const fingerprint = fingerprintOf(info);
    return { kind: 'map', id: info.id, fd, info, fingerprint, [Symbol.dispose]: () => fd[Symbol.dispose]() };
  } catch (error) {
    fd[Symbol.dispose]();
    throw error;
  }
}

function attempt(attributes: MapAttributes, context: MakingContext): HeldObject['fd'] {
  try {
    return createMap(attributes, { fds: context.fds });
  } catch (error) {
    if (!isSystemCallError(error)) throw error;
    const { syscall, errno } = error;
    const meaning = meanings[errno];
    if (meaning === undefined) throw error;
    const { code, why } = meaning;
    const errors = code === 'invalid_input' ? { errors: [{ pointer: context.pointer, detail: why }] } : {};
    const detail = `The kernel makes no such ${context.type}: ${why}.`;
    throw new PinfoldError(code, { detail, syscall, errno, ...errors }, error);
  }
}

interface Meaning {
  readonly code: 'invalid_input' | 'out_of_memory' | 'permission_denied' | 'not_supported' | 'conflict';
  readonly why: string;
}

/** What the kernel's refusals to make a map mean (map_create in kernel/bpf/syscall.c, each type's own). */
const meanings: Readonly<Record<string, Meaning>> = {
  EINVAL: {
    code: 'invalid_input',
    why: 'its sizes, flags, map_extra and BTF do not go together for this type',
  },
  E2BIG: { code: 'invalid_input', why: 'a key, a value, or all entries together are larger than it allows' },
  EOVERFLOW: { code: 'invalid_input', why: 'all entries together are larger than it allows' },
  ENOENT: { code: 'invalid_input', why: 'a type or a file that it names is not there' },
  EBADF: { code: 'invalid_input', why: 'a map or BTF that it needs is not there' },
  ENOTSUPP: { code: 'invalid_input', why: 'this type does not take such flags, BTF or inner map' },
  EOPNOTSUPP: { code: 'not_supported', why: 'this kernel does not have it' },
  ENOMEM: { code: 'out_of_memory', why: 'there is no memory for it' },
  EPERM: { code: 'permission_denied', why: 'it takes CAP_BPF, and CAP_NET_ADMIN for maps of the network' },
  EACCES: { code: 'permission_denied', why: 'a flag is for programs only, or it takes a capability' },
  EBUSY: { code: 'conflict', why: 'the address that map_extra asks for is in use' },
};
