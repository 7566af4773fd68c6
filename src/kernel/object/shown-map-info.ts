import type { MapInfo } from '../../model/schema/map-info.ts';
import type { ShownMap } from '../iter/shown-map.ts';
import { whyUnopened } from '../iter/unused-tables.ts';
import { nonZero, present } from './fields.ts';
import { mapFlagNames, typeName } from './names.ts';

/** A map's document from what an iterator tells of it, with the reason why that is not all. */
export function shownMapInfo(map: ShownMap): MapInfo {
  return present({
    kind: 'map' as const,
    id: map.id,
    type: typeName('map', map.type),
    name: map.name,
    key_size: map.keySize,
    value_size: map.valueSize,
    max_entries: map.maxEntries,
    map_flags: map.flags,
    flags: mapFlagNames(map.flags),
    btf_id: nonZero(map.btfId),
    btf_key_type_id: nonZero(map.keyTypeId),
    btf_value_type_id: nonZero(map.valueTypeId),
    frozen: map.isFrozen,
    unread: `memlock, owner_prog_type and owner_jited need an open map, and it is not opened: ${whyUnopened}`,
  });
}
