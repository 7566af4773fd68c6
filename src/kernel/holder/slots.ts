import type { ObjectHoldFact } from '../../model/holder/facts.ts';
import type { ObjectKind } from '../../model/kind.ts';
import { limits } from '../../model/limits.ts';
import { objectInfo, openObjectById } from '../bpf/objects.ts';
import { Struct } from '../bpf/struct.ts';
import { ElementLookup, lookupElement, type MapFd, nextKey } from '../entries/elements.ts';
import type { MapHolds } from '../iter/hold-lists.ts';
import { Fields } from '../object/fields.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Collection } from './collection.ts';
import type { HolderSources } from './sources.ts';
import { isRegistered, structOpsName, structOpsSlots } from './struct-ops.ts';

/** struct bpf_map_info, as far as slots need it. */
const mapInfo = { size: 56, keySize: 8, valueSize: 12, maxEntries: 16, btfVmlinuxValueTypeId: 44 } as const;

/** BPF_MAP_TYPE_PROG_ARRAY. */
const PROG_ARRAY = 3;

/** How a type of map holds objects: what, where in the value its id is, and what its keys are. */
interface SlotType {
  readonly held: ObjectKind;
  /** Bytes from the start of the value as the system call copies it. */
  readonly idAt: number;
  readonly keys: 'index' | 'any';
}

/**
 * Map types whose entries hold objects, by enum bpf_map_type: prog_array, array_of_maps, hash_of_maps,
 * devmap, cpumap, devmap_hash.
 *
 * Values of the first three are ids to a reader (bpf_map_value_size in kernel/bpf/syscall.c); struct
 * bpf_devmap_val and struct bpf_cpumap_val have a program in their second half, where a map's values are that
 * long.
 */
const slotTypes: ReadonlyMap<number, SlotType> = new Map([
  [PROG_ARRAY, { held: 'program', idAt: 0, keys: 'index' }],
  [12, { held: 'map', idAt: 0, keys: 'index' }],
  [13, { held: 'map', idAt: 0, keys: 'any' }],
  [14, { held: 'program', idAt: 4, keys: 'index' }],
  [16, { held: 'program', idAt: 4, keys: 'index' }],
  [25, { held: 'program', idAt: 4, keys: 'any' }],
]);

/** BPF_MAP_TYPE_STRUCT_OPS, whose one value has a program in each of its functions. */
const STRUCT_OPS = 26;

/**
 * Tells whether entries of this map can hold objects. Those of a prog_array cannot once its last user has
 * gone, and it is not to be opened any more (see KernelUnusedTables).
 */
export function hasSlots({ type, userCount }: Pick<MapHolds, 'type' | 'userCount'>): boolean {
  if (type === PROG_ARRAY && userCount === 0) return false;
  return slotTypes.has(type) || type === STRUCT_OPS;
}

/** How much one reading may still do, of all maps together: slots that hold something, and looks at any. */
export interface SlotBudget {
  filled: number;
  looks: number;
}

/**
 * What the slots of one map hold, read entry by entry with the map open for that long.
 *
 * A map with more slots than are left in the budget is read as far as they go, and said to be cut.
 */
export function addSlots(
  sources: Pick<HolderSources, 'calls' | 'kernelBtf'>,
  map: { readonly id: number; readonly type: number },
  { into, budget }: { readonly into: Collection; readonly budget: SlotBudget },
): void {
  try {
    using fd = openObjectById('map', map.id, sources.calls.fds);
    const fields = new Fields(objectInfo(fd, new Struct(mapInfo.size)));
    const shape = {
      id: map.id,
      keySize: fields.u32(mapInfo.keySize) ?? 0,
      valueSize: fields.u32(mapInfo.valueSize) ?? 0,
      maxEntries: fields.u32(mapInfo.maxEntries) ?? 0,
    };
    const type = slotTypes.get(map.type);
    if (type === undefined) {
      const valueType = fields.u32(mapInfo.btfVmlinuxValueTypeId) ?? 0;
      addStructOps(sources, { fd, shape, valueType }, into);
      return;
    }
    if (shape.valueSize < type.idAt + 4) return;
    const { holds, isWhole } = readSlots(fd, { shape, type }, budget);
    into.holds.push(...holds);
    if (!isWhole) {
      const { holderSlotsMax: filled, holderSlotLooksMax: looks } = limits;
      const reason = `no more than ${filled} slots that hold something, of ${looks}, are read at a time`;
      into.lacks(`slots of map ${map.id}`, reason);
    }
  } catch (error) {
    if (!isSystemCallError(error)) throw error;
    if (error.errno !== 'ENOENT') into.lacks(`slots of map ${map.id}`, error.message);
  }
}

interface SlotShape {
  readonly id: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
}

function readSlots(
  map: MapFd,
  { shape, type }: { readonly shape: SlotShape; readonly type: SlotType },
  budget: SlotBudget,
): { readonly holds: readonly ObjectHoldFact[]; readonly isWhole: boolean } {
  const holds: ObjectHoldFact[] = [];
  const isIndexed = type.keys === 'index';
  const key = Buffer.alloc(isIndexed ? 4 : shape.keySize);
  const lookup = new ElementLookup(map, key, Buffer.alloc(Math.max(shape.valueSize, 8)));
  const steps = isIndexed ? eachIndex(key, shape) : eachKey(map, key, shape);
  for (const _ of steps) {
    if (budget.looks === 0) return { holds, isWhole: false };
    budget.looks--;
    if (!lookup.find()) continue;
    const id = lookup.value.readUInt32LE(type.idAt);
    if (id === 0) continue;
    if (budget.filled === 0) return { holds, isWhole: false };
    budget.filled--;
    holds.push({
      holder: { kind: 'map', id: shape.id },
      held: { kind: type.held, id },
      hold: 'slot',
      key: keyText(key),
    });
  }
  return { holds, isWhole: true };
}

/** A key of four bytes is a number to most people, whatever the map takes it for. */
function keyText(key: Buffer): string {
  return key.length === 4 ? String(key.readUInt32LE(0)) : key.toString('hex');
}

/** Each index in turn, in the key. */
function* eachIndex(key: Buffer, { maxEntries }: SlotShape): Generator<number> {
  for (let index = 0; index < maxEntries; index++) {
    key.writeUInt32LE(index);
    yield index;
  }
}

/**
 * Each key in turn, in the key. The kernel begins again where a key is deleted under it: twice as many steps
 * as entries end that.
 */
function* eachKey(map: MapFd, key: Buffer, { maxEntries }: SlotShape): Generator<number> {
  const seen = new Set<string>();
  const next = Buffer.alloc(key.length);
  for (let step = 0; step < 2 * maxEntries; step++) {
    if (!nextKey(map, step === 0 ? undefined : key, next)) return;
    next.copy(key);
    const text = key.toString('latin1');
    if (seen.has(text)) continue;
    seen.add(text);
    yield step;
  }
}

function addStructOps(
  { kernelBtf }: Pick<HolderSources, 'kernelBtf'>,
  { fd, shape, valueType }: { readonly fd: MapFd; readonly shape: SlotShape; readonly valueType: number },
  into: Collection,
): void {
  if ('missing' in kernelBtf || valueType === 0) return;
  const value = Buffer.alloc(shape.valueSize);
  if (!lookupElement(fd, Buffer.alloc(4), value)) return;
  const { btf } = kernelBtf;
  const map = { kind: 'map', id: shape.id } as const;
  for (const { member, programId } of structOpsSlots(btf, valueType, value)) {
    into.holds.push({ holder: map, held: { kind: 'program', id: programId }, hold: 'slot', key: member });
  }
  if (!isRegistered(value)) return;
  into.attachments.push({ kind: 'struct_ops', object: map, attachType: structOpsName(btf, valueType) });
}
