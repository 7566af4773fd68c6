import type { Wanted } from '../../model/map-rule/complaints.ts';

/** Bytes around each element of a hash (struct htab_elem, kernel/bpf/hashtab.c), and of its bucket. */
const hashElement = 48;
const bucket = 16;
const pointer = 8;

/** struct stack_map_bucket without its addresses (kernel/bpf/stackmap.c). */
const stackBucket = 24;

/** How many hashes a bloom filter makes where nobody says (kernel/bpf/bloom_filter.c). */
const bloomHashes = 5;

/**
 * Bytes that the kernel takes at once for a map that is made like this, about as its own `memlock` says. Maps
 * that grow with their entries, as LPM tries and storages do, take next to nothing.
 */
export function memoryOf(wanted: Wanted, cpus: number): number {
  const { type, key_size: keySize, value_size: valueSize, max_entries: entries, map_extra: extra } = wanted;
  const value = inEights(valueSize);
  switch (type) {
    case 'array':
      return entries * value;
    case 'percpu_array':
      return entries * (pointer + value * cpus);
    case 'hash':
    case 'lru_hash':
    case 'hash_of_maps':
      return hashOf(wanted, inEights(keySize) + value, cpus);
    case 'percpu_hash':
    case 'lru_percpu_hash':
      return hashOf(wanted, inEights(keySize) + pointer + value * cpus, cpus);
    case 'queue':
    case 'stack':
      return (entries + 1) * valueSize;
    case 'bloom_filter':
      return powerOfTwo((entries * (Number(extra ?? 0) || bloomHashes) * 7) / 5) / 8;
    case 'stack_trace':
      return powerOfTwo(entries) * pointer + entries * (stackBucket + value);
    case 'ringbuf':
    case 'user_ringbuf':
      return entries;
    case 'devmap_hash':
      return powerOfTwo(entries) * pointer;
    case 'sockhash':
      return powerOfTwo(entries) * bucket;
    case 'lpm_trie':
    case 'arena':
    case 'cgroup_storage':
    case 'percpu_cgroup_storage':
    case 'sk_storage':
    case 'inode_storage':
    case 'task_storage':
    case 'cgrp_storage':
      return 0;
    default:
      return entries * pointer;
  }
}

/** Elements are there from the beginning, with some to spare for each CPU, unless the map says otherwise. */
function hashOf({ max_entries: entries, flags = [] }: Wanted, element: number, cpus: number): number {
  const made = flags.includes('no_prealloc') ? 0 : (entries + cpus) * (hashElement + element);
  return powerOfTwo(entries) * bucket + made;
}

function inEights(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

function powerOfTwo(count: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(count, 1)));
}
