import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import type { MapBtf } from '../../model/schema/map-specification.ts';
import { loadBtf } from '../bpf/create.ts';
import { openObjectById } from '../bpf/objects.ts';
import type { Btf } from '../btf/btf.ts';
import { parseBtf } from '../btf/parse.ts';
import { smallestBtf } from '../btf/smallest.ts';
import type { HeldObject } from '../kernel.ts';
import { readBtfBlob } from '../object/btf-blob.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Fd, FdTable } from '../sys/fd.ts';

/** The BTF a map is made with; whoever asked for it closes it. */
export interface OpenBtf {
  readonly fd: Fd;
  readonly keyTypeId: number;
  readonly valueTypeId: number;
}

/** Kinds whose names may be those of keys and values; names of functions and variables are none. */
const namedKinds = ['struct', 'union', 'typedef', 'int', 'enum', 'enum64', 'float', 'datasec'] as const;

/**
 * Loads the BTF of a specification, or opens that of a map that has it, and finds its types.
 *
 * @throws PinfoldError invalid_input with a pointer, permission_denied
 */
export function openMapBtf(
  btf: MapBtf,
  from: { readonly fds: FdTable; readonly map: HeldObject | undefined },
  pointer: string,
): OpenBtf {
  const fd = openBtf(btf, from, pointer);
  try {
    const info = from.map?.info.kind === 'map' ? from.map.info : undefined;
    let types: Btf | undefined;
    const find = (name: string, member: string): number => {
      types ??= parseBtf(readBtfBlob(fd));
      const id = findType(types, name);
      if (id !== undefined) return id;
      throw wrong(`${pointer}/${member}`, `there is no type ${JSON.stringify(name)} in this BTF`);
    };
    const { key_type: key, value_type: value } = btf;
    const keyTypeId =
      key === undefined ? (btf.key_type_id ?? info?.btf_key_type_id ?? 0) : find(key, 'key_type');
    const valueTypeId =
      value === undefined ? (btf.value_type_id ?? info?.btf_value_type_id ?? 0) : find(value, 'value_type');
    return { fd, keyTypeId, valueTypeId };
  } catch (error) {
    fd[Symbol.dispose]();
    throw error;
  }
}

/**
 * What is wrong with the types of a map that the kernel did not make: each must be in the BTF, and as large
 * as what it is the type of (map_check_btf in kernel/bpf/syscall.c). Undefined where it was something else.
 */
export function whyNotTypes(
  { fd, keyTypeId, valueTypeId }: OpenBtf,
  { keySize, valueSize }: { readonly keySize: number; readonly valueSize: number },
  pointer: string,
): PinfoldError | undefined {
  const types = parseBtf(readBtfBlob(fd));
  const roles = [
    { member: 'key_type_id', what: 'keys', id: keyTypeId, size: keySize },
    { member: 'value_type_id', what: 'values', id: valueTypeId, size: valueSize },
  ] as const;
  for (const { member, what, id, size } of roles) {
    if (id === 0) continue;
    const isThere = id <= types.typeCount;
    const actual = isThere ? types.sizeOf(id) : undefined;
    if (actual === size) continue;
    const lacks = isThere ? `type ${id} has no size` : `there is no type ${id} in this BTF`;
    const why = actual === undefined ? lacks : `type ${id} is of ${actual}, and ${what} are of ${size} bytes`;
    return wrong(`${pointer}/${member}`, why, { errno: 'EINVAL' });
  }
  return undefined;
}

/**
 * The BTF of a map whose value has a type of the kernel's: it may not be the kernel's own, must be there, and
 * nothing is looked up in it (map_create in kernel/bpf/syscall.c). @throws SystemCallError
 */
export function openUnusedBtf(fds: FdTable): OpenBtf {
  return { fd: loadBtf(smallestBtf, { fds }), keyTypeId: 0, valueTypeId: 0 };
}

/** The id of a type by its name, which may stand behind its C keyword, as `describe` shows it. */
export function findType(btf: Btf, name: string): number | undefined {
  const [, keyword, bare] = /^(struct|union|enum) (.+)$/s.exec(name) ?? [];
  for (const kind of namedKinds) {
    if (keyword !== undefined && !kind.startsWith(keyword)) continue;
    const id = btf.find(kind, bare ?? name);
    if (id !== undefined) return id;
  }
  return undefined;
}

function openBtf(
  { blob_base64: base64 }: MapBtf,
  { fds, map }: { readonly fds: FdTable; readonly map: HeldObject | undefined },
  pointer: string,
): Fd {
  if (base64 !== undefined && map === undefined) return load(base64, fds, `${pointer}/blob_base64`);
  if (base64 !== undefined) throw wrong(pointer, 'blob_base64, map and pin exclude each other');
  if (map === undefined) throw wrong(pointer, 'one of blob_base64, map and pin is wanted');
  const id = map.info.kind === 'map' ? map.info.btf_id : undefined;
  if (id === undefined) throw wrong(pointer, `map ${map.id} has no BTF`);
  return openObjectById('btf', id, fds);
}

function load(base64: string, fds: FdTable, pointer: string): Fd {
  const blob = Buffer.from(base64, 'base64');
  if (blob.toString('base64') !== base64) throw wrong(pointer, 'is not base64');
  if (blob.length > limits.entryBytesMax) throw wrong(pointer, `has more than ${limits.entryBytesMax} bytes`);
  try {
    return loadBtf(blob, { fds });
  } catch (error) {
    if (!isSystemCallError(error)) throw error;
    const { syscall, errno } = error;
    const details = { syscall, errno };
    if (errno === 'EPERM') {
      const detail = 'The kernel does not let BTF be loaded; it takes CAP_BPF.';
      throw new PinfoldError('permission_denied', { detail, ...details }, error);
    }
    if (errno === 'ENOMEM') {
      throw new PinfoldError('out_of_memory', {
        detail: 'The kernel had no memory for the BTF.',
        ...details,
      });
    }
    throw wrong(pointer, `the kernel does not take this BTF (${errno})`, details);
  }
}

function wrong(pointer: string, detail: string, details: object = {}): PinfoldError {
  return new PinfoldError('invalid_input', {
    detail: `The map cannot be made like this: ${pointer}: ${detail}.`,
    errors: [{ pointer, detail }],
    ...details,
  });
}
