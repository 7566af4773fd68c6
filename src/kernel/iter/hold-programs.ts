import type { Btf } from '../btf/btf.ts';
import { enter, leave, probeRead } from './emit.ts';
import {
  assemble,
  jump,
  jumpIfAnySet,
  jumpIfAtMost,
  jumpIfWordEqual,
  type Line,
  load,
  set,
  storeOnStack,
  storeWordOnStack,
} from './instruction.ts';
import { type ContextLayout, type Field, field, learnContext } from './layout.ts';

/** Maps of one program that a record has room for (MAX_USED_MAPS of kernel/bpf/verifier.c). */
export const usedMapsMax = 64;

/** Where each member of the record of a map is; all are u32. */
export const mapHoldsRecord = {
  size: 24,
  id: 0,
  type: 4,
  btf: 8,
  flags: 12,
  maxEntries: 16,
  userCount: 20,
} as const;

/** The same of a program; the ids of its maps come last. */
export const programHoldsRecord = {
  size: 24 + 4 * usedMapsMax,
  id: 0,
  type: 4,
  btf: 8,
  target: 12,
  mapCount: 16,
  maps: 24,
} as const;

/** A slot below the record, for pointers that are followed. */
const POINTER = 8;

interface MapHoldsLayout extends ContextLayout {
  readonly map: Field;
  readonly id: Field;
  readonly type: Field;
  readonly flags: Field;
  readonly maxEntries: Field;
  readonly userCount: Field;
  readonly btf: Field;
  readonly btfId: Field;
}

interface ProgramHoldsLayout extends ContextLayout {
  readonly program: Field;
  readonly aux: Field;
  readonly type: Field;
  readonly id: Field;
  readonly btf: Field;
  readonly btfId: Field;
  readonly target: Field;
  readonly mapCount: Field;
  readonly maps: Field;
  readonly mapId: Field;
}

/** @throws RangeError where this kernel keeps it elsewhere */
export function learnMapHolds(btf: Btf): MapHoldsLayout {
  return {
    ...learnContext(btf, 'bpf_map'),
    map: field(btf, 'bpf_iter__bpf_map', 'map'),
    id: field(btf, 'bpf_map', 'id'),
    type: field(btf, 'bpf_map', 'map_type'),
    flags: field(btf, 'bpf_map', 'map_flags'),
    maxEntries: field(btf, 'bpf_map', 'max_entries'),
    userCount: field(btf, 'bpf_map', 'usercnt.counter'),
    btf: field(btf, 'bpf_map', 'btf'),
    btfId: field(btf, 'btf', 'id'),
  };
}

/** @throws RangeError where this kernel keeps it elsewhere */
export function learnProgramHolds(btf: Btf): ProgramHoldsLayout {
  const aux = (member: string): Field => field(btf, 'bpf_prog_aux', member);
  return {
    ...learnContext(btf, 'bpf_prog'),
    program: field(btf, 'bpf_iter__bpf_prog', 'prog'),
    aux: field(btf, 'bpf_prog', 'aux'),
    type: field(btf, 'bpf_prog', 'type'),
    id: aux('id'),
    btf: aux('btf'),
    btfId: field(btf, 'btf', 'id'),
    target: aux('dst_prog'),
    mapCount: aux('used_map_cnt'),
    maps: aux('used_maps'),
    mapId: field(btf, 'bpf_map', 'id'),
  };
}

/**
 * All maps, or only those that may hold or be held in other ways than most: whose entries are objects, which
 * run programs, and which processes may have in their memory.
 */
export type MapChoice = 'all' | 'near';

/**
 * prog_array, array_of_maps, hash_of_maps, devmap, cpumap, devmap_hash and struct_ops of enum bpf_map_type,
 * whose entries hold objects; sockmap and sockhash, which run programs; ringbuf, user_ringbuf and arena,
 * which can be mapped.
 */
const nearTypes: readonly number[] = [3, 12, 13, 14, 15, 16, 18, 25, 26, 27, 31, 33];

/** BPF_MAP_TYPE_ARRAY, and BPF_F_MMAPABLE without which it is not mapped. */
const ARRAY = 2;
const MMAPABLE = 1 << 10;

function onlyIfNear({ type, flags }: MapHoldsLayout): readonly Line[] {
  return [
    load(0, 6, type),
    ...nearTypes.map((near) => jumpIfWordEqual(0, near, 'near')),
    jumpIfWordEqual(0, ARRAY, 'array'),
    jump('done'),
    { label: 'array' },
    load(0, 6, flags),
    jumpIfAnySet(0, MMAPABLE, 'near'),
    jump('done'),
    { label: 'near' },
  ];
}

/**
 * Tells of every map its type, flags, size, users and BTF. `btf` is NULL where there is none; a load through
 * it is fault-safe and gives zero.
 */
export function mapHoldsProgram(layout: MapHoldsLayout, only: MapChoice = 'all'): Buffer {
  const { size, id, type, btf, flags, maxEntries, userCount } = mapHoldsRecord;
  return assemble([
    ...enter(layout, layout.map),
    ...(only === 'all' ? [] : onlyIfNear(layout)),
    load(0, 6, layout.id),
    storeWordOnStack(id - size, 0),
    load(0, 6, layout.type),
    storeWordOnStack(type - size, 0),
    load(0, 6, layout.btf),
    load(0, 0, layout.btfId),
    storeWordOnStack(btf - size, 0),
    load(0, 6, layout.flags),
    storeWordOnStack(flags - size, 0),
    load(0, 6, layout.maxEntries),
    storeWordOnStack(maxEntries - size, 0),
    load(0, 6, layout.userCount),
    storeWordOnStack(userCount - size, 0),
    ...leave(size),
  ]);
}

/**
 * Tells of every program its type, its BTF, the program it is to replace and the maps it uses.
 *
 * The list of maps is an array of pointers, which the verifier does not know: it is read with a helper, for
 * each map anew. Maps past `usedMapsMax` (BPF_PROG_BIND_MAP can add some) are counted and not listed.
 */
export function programHoldsProgram(layout: ProgramHoldsLayout): Buffer {
  const { size, id, type, btf, target, mapCount, maps } = programHoldsRecord;
  return assemble([
    ...enter(layout, layout.program),
    set(0, 0),
    ...Array.from({ length: size / 8 }, (_, index) => storeOnStack(8 * index - size, 0)),
    load(0, 6, layout.type),
    storeWordOnStack(type - size, 0),
    load(6, 6, layout.aux),
    load(0, 6, layout.id),
    storeWordOnStack(id - size, 0),
    load(0, 6, layout.btf),
    load(0, 0, layout.btfId),
    storeWordOnStack(btf - size, 0),
    load(0, 6, layout.target),
    load(0, 0, layout.aux),
    load(0, 0, layout.id),
    storeWordOnStack(target - size, 0),
    load(8, 6, layout.mapCount),
    storeWordOnStack(mapCount - size, 8),
    load(9, 6, layout.maps),
    ...Array.from({ length: usedMapsMax }, (_, index): readonly Line[] => [
      jumpIfAtMost(8, index, 'write'),
      ...probeRead({ slot: -size - POINTER, from: 9, at: { offset: 8 * index, size: 8 } }),
      load(6, 10, { offset: -size - POINTER, size: 8 }),
      ...probeRead({ slot: maps - size + 4 * index, from: 6, at: layout.mapId }),
    ]).flat(),
    { label: 'write' },
    ...leave(size),
  ]);
}
