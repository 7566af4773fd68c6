import type { Btf } from '../btf/btf.ts';
import { membersOf, targetOf } from '../btf/details.ts';

/** A function of a struct_ops map, and the program it is. */
export interface StructOpsSlot {
  readonly member: string;
  readonly programId: number;
}

/**
 * BPF_STRUCT_OPS_STATE_INUSE of enum bpf_struct_ops_state: registered by an update of the map, without a
 * link.
 */
const IN_USE = 1;

/** `state` in struct bpf_struct_ops_common_value, with which every value begins (include/linux/bpf.h). */
const STATE = 4;

/**
 * Tells whether the kernel holds the map because it is registered: then it does so until the entry is
 * deleted. A map that links register is held by those instead.
 */
export function isRegistered(value: Buffer): boolean {
  return value.length >= STATE + 4 && value.readUInt32LE(STATE) === IN_USE;
}

/** What a struct_ops map implements, such as `tcp_congestion_ops`. */
export function structOpsName(btf: Btf, valueType: number): string {
  return btf.nameOf(valueType).replace(/^bpf_struct_ops_/, '');
}

/**
 * The programs in a value of a struct_ops map.
 *
 * The kernel's type of the value is `struct bpf_struct_ops_NAME { …; struct NAME data; }`, and where NAME has
 * a pointer to a function, a value that is read has the program's id (bpf_struct_ops_map_sys_lookup_elem and
 * its update in kernel/bpf/bpf_struct_ops.c).
 */
export function structOpsSlots(btf: Btf, valueType: number, value: Buffer): readonly StructOpsSlot[] {
  const data = membersOf(btf, valueType).find(({ name }) => name === 'data');
  if (data === undefined) return [];
  return membersOf(btf, btf.resolve(data.typeId)).flatMap(({ name, typeId, bitOffset }) => {
    const at = (data.bitOffset + bitOffset) / 8;
    if (!isFunctionPointer(btf, typeId) || at + 8 > value.length) return [];
    const programId = value.readUInt32LE(at);
    return programId === 0 ? [] : [{ member: name, programId }];
  });
}

function isFunctionPointer(btf: Btf, typeId: number): boolean {
  const pointer = btf.resolve(typeId);
  return btf.kindOf(pointer) === 'ptr' && btf.kindOf(btf.resolve(targetOf(btf, pointer))) === 'func_proto';
}
