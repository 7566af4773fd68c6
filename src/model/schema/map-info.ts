import { type Static, Type } from 'typebox';

/** Everything the kernel tells of a map (struct bpf_map_info and fdinfo); members this kernel does not give are absent. */
export const MapInfo = Type.Object({
  kind: Type.Literal('map'),
  id: Type.Integer(),
  type: Type.String(),
  name: Type.String(),
  key_size: Type.Integer(),
  value_size: Type.Integer(),
  max_entries: Type.Integer(),
});
export type MapInfo = Static<typeof MapInfo>;
