import type { paths } from './generated.ts';
import type { ItemOf } from './list.ts';

/** The documents of the API by their names, as its OpenAPI document describes them. */
export type Pin = ItemOf<'/v1/pins'>;
export type TreeEntry = ItemOf<'/v1/tree'>;
export type Mount = ItemOf<'/v1/mounts'>;
export type BpfObject = ItemOf<'/v1/objects'>;
export type BpfMap = ItemOf<'/v1/maps'>;
export type Program = ItemOf<'/v1/programs'>;
export type Link = ItemOf<'/v1/links'>;
export type Btf = ItemOf<'/v1/btfs'>;
export type Event = ItemOf<'/v1/events'>;
export type Token = ItemOf<'/v1/tokens'>;
export type Node = paths['/v1/node']['get']['responses'][200]['content']['application/json'];
export type Operation = paths['/v1/operations/{id}']['get']['responses'][200]['content']['application/json'];

/** The body of a change of one pin. */
export type PinRequest = paths['/v1/pins/{path}']['put']['requestBody']['content']['application/json'];
export type PinPatch = paths['/v1/pins/{path}']['patch']['requestBody']['content']['application/json'];
export type BatchRequest = paths['/v1/batch']['post']['requestBody']['content']['application/json'];
