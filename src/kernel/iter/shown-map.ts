import type { Btf } from '../btf/btf.ts';
import { memberOffset } from '../btf/member-offset.ts';
import type { DetailFormat } from './detail-reader.ts';
import { enter, leave, onlyIfWanted, probeRead } from './emit.ts';
import { assemble, type Line, load, storeOnStack } from './instruction.ts';
import { type ContextLayout, type Field, field, idOf, learnContext } from './layout.ts';

/** What an iterator tells of a map, which is all that can be known of one that is not opened. */
export interface ShownMap {
  readonly id: number;
  /** Of enum bpf_map_type. */
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
  /** 0 where it has none. */
  readonly btfId: number;
  readonly keyTypeId: number;
  readonly valueTypeId: number;
  readonly isFrozen: boolean;
  /** Open files and pinned inodes. */
  readonly userCount: number;
  /** Byte string. */
  readonly name: string;
}

/** Values of a record, each a u64, in this order; the name follows them. */
const valueNames = [
  'id',
  'type',
  'keySize',
  'valueSize',
  'maxEntries',
  'flags',
  'btfId',
  'keyTypeId',
  'valueTypeId',
  'frozen',
  'userCount',
] as const;
type ValueName = (typeof valueNames)[number];

const VALUE_SIZE = 8;
/** BPF_OBJ_NAME_LEN. */
const NAME_SIZE = 16;
const NAME_AT = VALUE_SIZE * valueNames.length;
const RECORD_SIZE = NAME_AT + NAME_SIZE;

/** Where this kernel keeps it. */
interface ShownMapLayout extends ContextLayout {
  readonly map: Field;
  readonly btf: Field;
  readonly btfId: Field;
  readonly values: Readonly<Record<Exclude<ValueName, 'btfId'>, Field>>;
  readonly nameAt: number;
}

/** How a record of it is laid out. */
export const shownMaps: DetailFormat<ShownMap> = {
  kind: 'map',
  program: 'pinfold_shown',
  recordSize: RECORD_SIZE,
  parse: parseShown,
};

/** @throws RangeError where this kernel keeps it elsewhere */
export function learnShownMaps(btf: Btf): ShownMapLayout {
  const member = (name: string): Field => field(btf, 'bpf_map', name);
  return {
    ...learnContext(btf, 'bpf_map'),
    map: field(btf, 'bpf_iter__bpf_map', 'map'),
    btf: member('btf'),
    btfId: field(btf, 'btf', 'id'),
    values: {
      id: member('id'),
      type: member('map_type'),
      keySize: member('key_size'),
      valueSize: member('value_size'),
      maxEntries: member('max_entries'),
      flags: member('map_flags'),
      keyTypeId: member('btf_key_type_id'),
      valueTypeId: member('btf_value_type_id'),
      frozen: member('frozen'),
      userCount: member('usercnt.counter'),
    },
    nameAt: memberOffset(btf, idOf(btf, 'struct', 'bpf_map'), 'name').offset,
  };
}

/** The program that an iterator over all maps runs for each; `wantedFd` as for `onlyIfWanted`. */
export function shownMapsProgram(layout: ShownMapLayout, wantedFd: number): Buffer {
  const put = (name: ValueName): Line => storeOnStack(VALUE_SIZE * valueNames.indexOf(name) - RECORD_SIZE, 8);
  return assemble([
    ...enter(layout, layout.map),
    load(8, 6, layout.values.id),
    ...onlyIfWanted(8, wantedFd),
    ...valueNames.flatMap((name): readonly Line[] =>
      name === 'btfId'
        ? [load(8, 6, layout.btf), load(8, 8, layout.btfId), put(name)]
        : [load(8, 6, layout.values[name]), put(name)],
    ),
    ...[0, VALUE_SIZE].flatMap((at) =>
      probeRead({ slot: NAME_AT + at - RECORD_SIZE, from: 6, at: { offset: layout.nameAt + at, size: 8 } }),
    ),
    ...leave(RECORD_SIZE),
  ]);
}

function parseShown(record: Buffer): ShownMap {
  const u32 = (name: ValueName): number => record.readUInt32LE(VALUE_SIZE * valueNames.indexOf(name));
  const name = record.toString('latin1', NAME_AT, RECORD_SIZE);
  const end = name.indexOf('\0');
  return {
    id: u32('id'),
    type: u32('type'),
    keySize: u32('keySize'),
    valueSize: u32('valueSize'),
    maxEntries: u32('maxEntries'),
    flags: u32('flags'),
    btfId: u32('btfId'),
    keyTypeId: u32('keyTypeId'),
    valueTypeId: u32('valueTypeId'),
    isFrozen: u32('frozen') !== 0,
    userCount: u32('userCount'),
    name: end < 0 ? name : name.slice(0, end),
  };
}
