import { type Static, Type } from 'typebox';

const TypeReference = Type.Object({
  type_id: Type.Integer({ description: 'its number in the BTF of the map' }),
  name: Type.String({ description: 'as one writes it in C: `__u32`, `struct flow_key`' }),
  bytes: Type.Optional(Type.Integer()),
});

/** `GET /v1/maps/{id}/types`: what keys and values are, in C. */
export const MapTypes = Type.Object(
  {
    btf_id: Type.Optional(Type.Integer()),
    key: Type.Optional(TypeReference),
    value: Type.Optional(TypeReference),
    definitions: Type.String({ description: 'those types and all that they need, as C' }),
    missing: Type.Optional(Type.String({ description: 'why there are none' })),
  },
  { $id: 'MapTypes' },
);
export type MapTypes = Static<typeof MapTypes>;
