import { BtfBuilder } from '../support/btf-builder.ts';

/** A map as it is asked for; the rest of the body is the test's. */
export interface MapRecipe {
  readonly type: string;
  readonly key_size: number;
  readonly value_size: number;
  readonly max_entries: number;
  readonly flags?: readonly string[];
  readonly map_extra?: string;
  readonly btf?: object;
  readonly inner?: object;
}

/** BTF with `int` (1), `long long` (2) and `struct pf_value { long long count; }` (3). */
export function valueBtf(): string {
  const btf = new BtfBuilder();
  btf.int('int', 4, 'signed');
  const long = btf.int('long long', 8, 'signed');
  btf.struct('pf_value', 8, [{ name: 'count', type: long, at: 0 }]);
  return btf.build().toString('base64');
}

function of(
  type: string,
  sizes: readonly [number, number, number],
  more: Partial<MapRecipe> = {},
): MapRecipe {
  const [key_size, value_size, max_entries] = sizes;
  return { type, key_size, value_size, max_entries, ...more };
}

const inner = of('array', [4, 8, 1]);
const types = { blob_base64: valueBtf(), key_type_id: 1, value_type_id: 3 };
const storage = { flags: ['no_prealloc'], btf: types };

/** One of each type that user space can make. */
export const recipes: readonly MapRecipe[] = [
  of('hash', [4, 8, 16], { btf: types }),
  of('array', [4, 8, 16], { btf: types, flags: ['mmapable'] }),
  of('prog_array', [4, 4, 8]),
  of('perf_event_array', [4, 4, 2]),
  of('percpu_hash', [4, 8, 16]),
  of('percpu_array', [4, 5, 16]),
  of('stack_trace', [4, 64, 16]),
  of('cgroup_array', [4, 4, 4]),
  of('lru_hash', [4, 8, 16], { flags: ['no_common_lru'] }),
  of('lru_percpu_hash', [4, 8, 16]),
  of('lpm_trie', [8, 8, 16], { flags: ['no_prealloc'] }),
  of('array_of_maps', [4, 4, 4], { inner }),
  of('hash_of_maps', [4, 4, 4], { inner: of('hash', [2, 3, 7], { flags: ['no_prealloc'] }) }),
  of('devmap', [4, 4, 4], { flags: ['rdonly_prog'] }),
  of('sockmap', [4, 4, 4]),
  of('cpumap', [4, 4, 2]),
  of('xskmap', [4, 4, 4]),
  of('sockhash', [4, 8, 4]),
  of('cgroup_storage', [16, 8, 0]),
  of('reuseport_sockarray', [4, 8, 4]),
  of('percpu_cgroup_storage', [16, 8, 0]),
  of('queue', [0, 8, 16]),
  of('stack', [0, 8, 16]),
  of('sk_storage', [4, 8, 0], storage),
  of('devmap_hash', [4, 8, 4]),
  of('ringbuf', [0, 0, 4096]),
  of('inode_storage', [4, 8, 0], storage),
  of('task_storage', [4, 8, 0], storage),
  of('bloom_filter', [0, 8, 16], { map_extra: '3' }),
  of('user_ringbuf', [0, 0, 8192]),
  of('cgrp_storage', [4, 8, 0], storage),
  of('arena', [0, 0, 4], { flags: ['mmapable'] }),
];
