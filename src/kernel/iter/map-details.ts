import { enter, leave, onlyIfWanted } from './emit.ts';
import { assemble, type Line, load, storeOnStack } from './instruction.ts';
import type { DetailsLayout } from './layout.ts';

/** What a map of maps was told its maps look like (`inner_map_meta`, kernel/bpf/map_in_map.c). */
export interface InnerTemplate {
  /** Of enum bpf_map_type. */
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
}

/** What a map was made with and its info structure does not tell. */
export interface MapDetails {
  readonly id: number;
  readonly isFrozen: boolean;
  /** The node of memory it was made on; undefined where the kernel chose. */
  readonly numaNode: number | undefined;
  /** Absent for all but maps of maps. */
  readonly inner: InnerTemplate | undefined;
}

/** Values of a record, each a u64, in this order. */
const valueNames = [
  'id',
  'frozen',
  'numaNode',
  'type',
  'keySize',
  'valueSize',
  'maxEntries',
  'flags',
] as const;
type ValueName = (typeof valueNames)[number];

const VALUE_SIZE = 8;
/** Bytes of the record of one map. */
export const detailsSize: number = VALUE_SIZE * valueNames.length;

/**
 * The program that an iterator over all maps runs for each: it writes what the map was made with.
 *
 * `inner_map_meta` is NULL for all but maps of maps; a load through it is fault-safe and gives zero, which is
 * no map's type. `wantedFd` is the map of `onlyIfWanted`.
 */
export function detailsProgram(layout: DetailsLayout, wantedFd: number): Buffer {
  const { inner } = layout;
  return assemble([
    ...enter(layout, layout.object),
    load(8, 6, layout.id),
    ...onlyIfWanted(8, wantedFd),
    put('id'),
    load(8, 6, layout.frozen),
    put('frozen'),
    load(8, 6, layout.numaNode),
    put('numaNode'),
    load(6, 6, layout.innerMeta),
    ...(['type', 'keySize', 'valueSize', 'maxEntries', 'flags'] as const).flatMap((name): Line[] => [
      load(8, 6, inner[name]),
      put(name),
    ]),
    ...leave(detailsSize),
  ]);
}

/** Reads one record. */
export function parseDetails(record: Buffer): MapDetails {
  const at = (name: ValueName): number => VALUE_SIZE * valueNames.indexOf(name);
  const u32 = (name: ValueName): number => record.readUInt32LE(at(name));
  const numaNode = record.readInt32LE(at('numaNode'));
  const template = {
    type: u32('type'),
    keySize: u32('keySize'),
    valueSize: u32('valueSize'),
    maxEntries: u32('maxEntries'),
    flags: u32('flags'),
  };
  return {
    id: u32('id'),
    isFrozen: u32('frozen') !== 0,
    numaNode: numaNode < 0 ? undefined : numaNode,
    inner: template.type === 0 ? undefined : template,
  };
}

function put(name: ValueName): Line {
  return storeOnStack(VALUE_SIZE * valueNames.indexOf(name) - detailsSize, 8);
}
