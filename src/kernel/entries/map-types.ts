/** How the entries of a type are gone through. */
export type ReadingWay = 'batch' | 'keys' | 'indices';

/**
 * What holds of a reading while others change the map.
 *
 * `per_element`: each slot is read exactly once. `per_bucket`: what is there from beginning to end comes
 * exactly once, because a bucket is copied under its lock (__htab_map_lookup_and_delete_batch in
 * kernel/bpf/hashtab.c). `may_repeat`: the kernel begins again where the key it stands at is deleted; what
 * was read already is left out as far as it is remembered.
 */
export type Consistency = 'per_element' | 'per_bucket' | 'may_repeat';

/** What the bytes of a value are to the kernel, where they are more than bytes. */
export type ValueMeaning = 'map' | 'program' | 'device' | 'cpu' | 'cookie';

/** A type whose entries can all be read. */
export interface ReadableType {
  readonly way: ReadingWay;
  /** Where this kernel has no LOOKUP_BATCH for the type. */
  readonly otherwise?: Exclude<ReadingWay, 'batch'>;
  readonly consistency: Consistency;
  readonly meaning?: ValueMeaning;
  readonly isPerCpu?: true;
  /** Whether keys are the slot numbers from 0 on. */
  readonly hasIndexKeys?: true;
}

/** A type whose entries cannot be read: the error's code and why, ending a sentence. */
export interface UnreadableType {
  readonly code: 'not_readable' | 'not_supported';
  readonly reason: string;
}

const hash: ReadableType = { way: 'batch', otherwise: 'keys', consistency: 'per_bucket' };
const array: ReadableType = {
  way: 'batch',
  otherwise: 'indices',
  consistency: 'per_element',
  hasIndexKeys: true,
};
const slots: ReadableType = { way: 'indices', consistency: 'per_element', hasIndexKeys: true };
const keys: ReadableType = { way: 'keys', consistency: 'may_repeat' };

const unreadable = (reason: string): UnreadableType => ({ code: 'not_readable', reason });
const storage = (owner: string): UnreadableType =>
  unreadable(`its entries belong to ${owner} and are found only through a descriptor of one, never listed`);
const mappedOnly = (what: string): UnreadableType =>
  unreadable(`${what}, which only a process that maps its memory sees; it has no entries`);
const popOnly = unreadable('reading beyond its head would remove what is read; ask for peek');

/**
 * Every map type and how it is read (tried on Linux 6.18; kernel/bpf/*map*.c, net/core/sock_map.c). A type
 * that is not here is newer than this build.
 */
export const mapTypes: Readonly<Record<string, ReadableType | UnreadableType>> = {
  hash,
  lru_hash: hash,
  percpu_hash: { ...hash, isPerCpu: true },
  lru_percpu_hash: { ...hash, isPerCpu: true },
  hash_of_maps: { ...hash, meaning: 'map' },
  array,
  percpu_array: { ...array, isPerCpu: true },
  array_of_maps: { ...array, meaning: 'map' },
  prog_array: { ...slots, meaning: 'program' },
  lpm_trie: { way: 'batch', otherwise: 'keys', consistency: 'may_repeat' },
  stack_trace: keys,
  devmap: { ...slots, meaning: 'device' },
  devmap_hash: { ...keys, meaning: 'device' },
  cpumap: { ...slots, meaning: 'cpu' },
  sockmap: { ...slots, meaning: 'cookie' },
  sockhash: { ...keys, meaning: 'cookie' },
  reuseport_sockarray: { ...slots, meaning: 'cookie' },
  cgroup_storage: keys,
  percpu_cgroup_storage: { ...keys, isPerCpu: true },
  struct_ops: slots,
  queue: popOnly,
  stack: popOnly,
  bloom_filter: unreadable('a bloom filter only answers whether a value may be in it'),
  ringbuf: mappedOnly('a ring buffer is a stream of records'),
  user_ringbuf: mappedOnly('a ring buffer is a stream of records'),
  arena: mappedOnly('an arena is memory'),
  perf_event_array: unreadable('the kernel does not tell which perf events are in it'),
  cgroup_array: unreadable('the kernel does not tell which cgroups are in it'),
  xskmap: unreadable('the kernel does not tell which sockets are in it'),
  sk_storage: storage('sockets'),
  inode_storage: storage('inodes'),
  task_storage: storage('tasks'),
  cgrp_storage: storage('cgroups'),
  insn_array: { code: 'not_supported', reason: 'this build does not know how instruction arrays are read' },
};
