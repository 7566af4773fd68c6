import type { MapInfo } from '../../model/schema/map-info.ts';
import { objectInfo } from '../bpf/objects.ts';
import { Struct } from '../bpf/struct.ts';
import type { Fd } from '../sys/fd.ts';
import { type FdInfo, fdInfoFlag, fdInfoNumber, readFdInfo } from './fdinfo.ts';
import { Fields, nonZero, nonZeroText, present } from './fields.ts';
import { mapFlagNames, typeName } from './names.ts';

/**
 * struct bpf_map_info, include/uapi/linux/bpf.h, up to what this reads; longer ones are cut by the kernel.
 */
const at = {
  size: 104,
  type: 0,
  id: 4,
  keySize: 8,
  valueSize: 12,
  maxEntries: 16,
  mapFlags: 20,
  name: 24,
  ifindex: 40,
  btfVmlinuxValueTypeId: 44,
  netnsDev: 48,
  netnsIno: 56,
  btfId: 64,
  btfKeyTypeId: 68,
  btfValueTypeId: 72,
  btfVmlinuxId: 76,
  mapExtra: 80,
} as const;

const NAME_LENGTH = 16;

/**
 * All the kernel tells of an open map. `hash` is left out: asking for it makes the kernel read the whole map.
 */
export function readMapInfo(fd: Fd): MapInfo {
  return parseMapInfo(objectInfo(fd, new Struct(at.size)), readFdInfo(fd));
}

/** A map's document from the bytes of struct bpf_map_info, as many as the kernel gave, and its fdinfo. */
export function parseMapInfo(bytes: Buffer, fdInfo: FdInfo): MapInfo {
  const fields = new Fields(bytes);
  const flags = fields.u32(at.mapFlags) ?? 0;
  const ownerType = fdInfoNumber(fdInfo, 'owner_prog_type');
  return present({
    kind: 'map' as const,
    id: fields.u32(at.id) ?? 0,
    type: typeName('map', fields.u32(at.type) ?? 0),
    name: fields.text(at.name, NAME_LENGTH),
    key_size: fields.u32(at.keySize) ?? 0,
    value_size: fields.u32(at.valueSize) ?? 0,
    max_entries: fields.u32(at.maxEntries) ?? 0,
    map_flags: flags,
    flags: mapFlagNames(flags),
    map_extra: nonZeroText(fields.decimal(at.mapExtra)),
    ifindex: nonZero(fields.u32(at.ifindex)),
    netns_dev: nonZeroText(fields.decimal(at.netnsDev)),
    netns_ino: nonZero(fields.count(at.netnsIno)),
    btf_id: nonZero(fields.u32(at.btfId)),
    btf_key_type_id: nonZero(fields.u32(at.btfKeyTypeId)),
    btf_value_type_id: nonZero(fields.u32(at.btfValueTypeId)),
    btf_vmlinux_value_type_id: nonZero(fields.u32(at.btfVmlinuxValueTypeId)),
    btf_vmlinux_id: nonZero(fields.u32(at.btfVmlinuxId)),
    frozen: fdInfoFlag(fdInfo, 'frozen'),
    memlock: fdInfoNumber(fdInfo, 'memlock'),
    owner_prog_type: ownerType === undefined ? undefined : typeName('program', ownerType),
    owner_jited: fdInfoFlag(fdInfo, 'owner_jited'),
  });
}
